"""The H.264 bitstream parser: C++ sources, and `_core`, the module that is built of them."""
