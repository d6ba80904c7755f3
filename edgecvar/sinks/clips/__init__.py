"""Clips of a stream around its events, cut without decoding anything."""
