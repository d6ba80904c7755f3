"""A Jetson's own readings while it is measured."""
