"""The networks, one file each, written as stages."""
