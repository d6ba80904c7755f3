// Which contexts coefficients of 8x8 blocks have (ITU-T H.264, 9.3.3.1.3).
#include "h264/contexts.h"

namespace edgecvar::h264 {

// clang-format off: the rows are those of the standard
// Table 9-43, significant_coeff_flag, frame coded
const uint8_t SIGNIFICANT_8X8[63] = {
    0, 1, 2, 3, 4, 5, 5, 4, 4, 3, 3, 4, 4, 4, 5, 5,
    4, 4, 4, 4, 3, 3, 6, 7, 7, 7, 8, 9, 10, 9, 8, 7,
    7, 6, 11, 12, 13, 11, 6, 7, 8, 9, 14, 10, 9, 8, 6, 11,
    12, 13, 11, 6, 9, 14, 10, 9, 11, 12, 13, 11, 14, 10, 12,
};

// Table 9-43, last_significant_coeff_flag
const uint8_t LAST_8X8[63] = {
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4,
    5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8,
};

// clang-format on

}  // namespace edgecvar::h264
