// Scans, scaling lists and the other small tables of the residual (ITU-T H.264, 6.4.3, 7.4.2, 8.5).
#pragma once

#include <cstdint>

namespace edgecvar::h264 {

// Table 8-13, frame scan of 4x4 blocks: index in zig-zag order -> y * 4 + x
extern const uint8_t ZIGZAG_4X4[16];

// Table 8-14, frame scan of 8x8 blocks: index in zig-zag order -> y * 8 + x
extern const uint8_t ZIGZAG_8X8[64];

// Table 7-3, Default_4x4_Intra and Default_4x4_Inter, in zig-zag order
extern const uint8_t DEFAULT_4X4[2][16];

// Table 7-4, Default_8x8_Intra and Default_8x8_Inter, in zig-zag order
extern const uint8_t DEFAULT_8X8[2][64];

// Figure 6-10, luma4x4BlkIdx -> place in the macroblock, in units of four samples
extern const uint8_t BLOCK_X[16];
extern const uint8_t BLOCK_Y[16];

// Table 8-15, QPC by qPI; for qPI below 30 they are equal
extern const uint8_t CHROMA_QP[52];

// 8.5.9, v of normAdjust4x4 by QP % 6 and by place: 0 x and y even, 1 both odd, 2 otherwise
extern const uint8_t NORM_ADJUST_4X4[6][3];

// 8.5.9, v of normAdjust8x8 by QP % 6 and by place: 0 x % 4 == 0 and y % 4 == 0, 1 x and y odd,
// 2 x % 4 == 2 and y % 4 == 2, 3 one of them odd and the other % 4 == 0, 4 one % 4 == 0 and the other % 4 == 2,
// 5 otherwise
extern const uint8_t NORM_ADJUST_8X8[6][6];

}  // namespace edgecvar::h264
