"""The H.264 bitstream parser: C++ sources, and `_h264`, the module that is built of them."""
