"""What Python reads of H.264 whichever path reads the stream: headers, field pairs, recovery points, images."""
