"""Backbones with torchvision's parameter names."""
