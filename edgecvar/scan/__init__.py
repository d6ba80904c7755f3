"""Archives: a bundle over thousands of files or hours, on all cores or on a cluster."""
