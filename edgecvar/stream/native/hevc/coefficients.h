// Transform coefficient levels as parsed (ITU-T H.265, 7.3.8.11 and 7.3.8.12).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hevc/syntax.h"

namespace edgecvar::hevc {

enum CodedBlockFlag : uint8_t {
    BLOCK_INTRA = 1,   // of an intra coding unit: which scaling matrix
    BLOCK_DST = 2,     // 4x4 luma of an intra coding unit: trType 1 (8.6.4.2)
    BLOCK_SKIP = 4,    // transform_skip_flag
    BLOCK_BYPASS = 8,  // cu_transquant_bypass_flag: levels are the residual
};

// A transform block with at least one level that is not 0.
struct CodedBlock {
    uint16_t x = 0, y = 0;          // of its first sample, in samples of its plane
    uint8_t plane = 0;              // 0 y, 1 cb, 2 cr
    uint8_t log2_size = 2;          // 2..5
    int8_t qp = 0;                  // qP of 8.6.2: Qp'Y, Qp'Cb or Qp'Cr
    uint8_t flags = 0;              // CodedBlockFlag
    uint32_t first = 0, end = 0;    // its levels
};

// A level that is not 0, and its place in the block: level << 16 | y << 5 | x.
using Level = int32_t;

constexpr Level level_at(int value, int x, int y) { return Level(uint32_t(value) << 16 | uint32_t(y << 5 | x)); }
constexpr int value_of(Level level) { return level >> 16; }
constexpr int x_of(Level level) { return level & 31; }
constexpr int y_of(Level level) { return level >> 5 & 31; }

// Of a whole picture; blocks in decoding order.
struct Coefficients {
    std::vector<CodedBlock> blocks;
    std::vector<Level> levels;
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<const Pps> pps;
};

}  // namespace edgecvar::hevc
