"""Stages as ONNX graphs: exported, lowered, in half precision."""
