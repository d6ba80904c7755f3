"""The verbs of many devices, a file each."""
