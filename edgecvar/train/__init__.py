"""Datasets, one training loop, checkpoints."""
