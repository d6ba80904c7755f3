"""What runs the stages of a bundle: ONNX Runtime, TensorRT, torch."""
