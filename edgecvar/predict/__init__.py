"""What a bundle costs on a device, reckoned from its graphs and held against what was measured elsewhere."""
