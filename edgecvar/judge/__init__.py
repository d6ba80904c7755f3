"""Whether a bundle computes what it should, and how often it is right."""
