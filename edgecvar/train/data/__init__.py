"""The clips of a run: listed, read, kept, batched."""
