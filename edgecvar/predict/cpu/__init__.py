"""This machine's own engine, ONNX Runtime on the processor: its kernels, what they take here, what a stage would."""
