// From the scaled coefficients of a transform block to its residual (ITU-T H.265, 8.6.4.2).
#pragma once

#include <cstdint>

namespace edgecvar::hevc {

// A scaled coefficient that is not 0, and its place in the block.
struct Scaled {
    int16_t value;
    uint8_t x, y;
};

// A block's scaled coefficients: at least one, in any order, no two at one place, every place within the block.
struct ScaledBlock {
    const Scaled* coefficients;
    int count;
    int log2_size;  // 2..5
    int bit_depth;  // 8..10
};

constexpr int16_t clip_int16(int64_t value) {
    return int16_t(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

// The residual goes to `out` row by row, without gaps; values beyond int16, which only broken streams have, are clipped.
void inverse_dct(const ScaledBlock& block, int16_t* out);
void inverse_dst(const ScaledBlock& block, int16_t* out);     // of 4x4
void skip_transform(const ScaledBlock& block, int16_t* out);  // transform_skip_flag

}  // namespace edgecvar::hevc
