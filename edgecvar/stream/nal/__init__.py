"""What Python reads alike of H.264 and of HEVC: NAL units, packets put together of them, places found by them."""
