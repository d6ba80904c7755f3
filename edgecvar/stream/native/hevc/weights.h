// Weighted prediction tables (ITU-T H.265, 7.3.6.3, 7.4.7.3).
#pragma once

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// pred_weight_table() of a slice whose lists are counted.
void read_weights(BitReader& reader, SliceHeader& header);

}  // namespace edgecvar::hevc
