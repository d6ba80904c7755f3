// Inverse transforms of scaled coefficients, and lossless prediction (ITU-T H.264, 8.5.10 to 8.5.13, 8.5.15).
#pragma once

#include <cstddef>
#include <cstdint>

namespace edgecvar::h264 {

// Scaled coefficients are at most this far from 0, which only broken streams exceed: so no transform overflows.
constexpr int32_t SCALED_LIMIT = 1 << 24;

constexpr int32_t clip_scaled(int64_t value) {
    return int32_t(value < -SCALED_LIMIT ? -SCALED_LIMIT : value > SCALED_LIMIT ? SCALED_LIMIT : value);
}

// The residual of one 4x4 (8.5.12.2) or 8x8 (8.5.13.2) block. `d` is column by column, d[4 * x + y] or d[8 * x + y].
void inverse_4x4(const int32_t* d, int16_t* out, ptrdiff_t stride);
void inverse_8x8(const int32_t* d, int16_t* out, ptrdiff_t stride);

// The same for blocks of which only d[0] is not 0.
void inverse_dc_4x4(int32_t dc, int16_t* out, ptrdiff_t stride);
void inverse_dc_8x8(int32_t dc, int16_t* out, ptrdiff_t stride);

// In place: the Intra_16x16 luma DC levels, column by column, and those of 4:2:0 chroma, raster order, to scaled DC.
// `scale` is LevelScale(qP % 6, 0, 0) << (qP / 6).
void luma_dc_4x4(int32_t* c, int32_t scale);
void chroma_dc_2x2(int32_t* c, int32_t scale);

// Lossless blocks: in place, each residual of size x size plus all before it in its column, or in its row.
void accumulate_down(int32_t* r, int size, ptrdiff_t stride);
void accumulate_right(int32_t* r, int size, ptrdiff_t stride);

inline int16_t clip_int16(int32_t value) {
    return int16_t(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

}  // namespace edgecvar::h264
