"""What Python reads of H.264 and HEVC alike: NAL units, and what is put together or found by them."""
