"""Bytes to coded pictures: demuxing, decoding, motion vectors and residuals."""
