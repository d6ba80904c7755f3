// Quantization parameters: their prediction, and those of chroma (ITU-T H.265, 8.6.1).
#pragma once

#include <algorithm>

#include "hevc/syntax.h"

namespace edgecvar::hevc {

// Qp'Cb or Qp'Cr of QpY, 4:2:0 (8-287 to 8-291, Table 8-10); `offset` is that of PPS and slice together.
inline int chroma_qp(int qp_y, int offset, int bit_depth_chroma) {
    constexpr int8_t FROM_30[14] = {29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37, 37};
    const int depth_offset = 6 * (bit_depth_chroma - 8);
    const int index = std::clamp(qp_y + offset, -depth_offset, 57);
    const int qp = index < 30 ? index : index <= 43 ? FROM_30[index - 30] : index - 6;
    return qp + depth_offset;
}

// QpY of its prediction and CuQpDeltaVal (8-283).
inline int luma_qp(int predicted, int delta, int bit_depth_luma) {
    const int depth_offset = 6 * (bit_depth_luma - 8);
    return (predicted + delta + 52 + 2 * depth_offset) % (52 + depth_offset) - depth_offset;
}

}  // namespace edgecvar::hevc
