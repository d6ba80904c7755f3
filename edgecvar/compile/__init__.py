"""A checkpoint to a bundle of ONNX stages, each proven against torch."""
