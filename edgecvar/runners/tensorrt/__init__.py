"""Stages as TensorRT engines, 8.2 to 11."""
