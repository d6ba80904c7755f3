"""Small labelled videos whose classes differ by motion alone."""
