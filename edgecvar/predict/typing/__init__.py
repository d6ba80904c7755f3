"""Which type TensorRT computes each node of a stage in, by the rules of its versions."""
