"""The deployable artifact: a manifest, ONNX stages and labels in one folder."""
