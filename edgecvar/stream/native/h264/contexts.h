// The contexts of the arithmetic decoder: initial states, and where coefficients of 8x8 blocks look (ITU-T H.264, 9.3.1.1
// and 9.3.3.1.3).
#pragma once

#include <cstdint>

#include "cabac_tables.h"

namespace edgecvar::h264 {

constexpr int CONTEXTS = 1024;

// Sets every state to pStateIdx << 1 | valMPS as at the start of a slice, 9.3.1.1. cabac_init_idc (0..2) counts only
// where intra_slice (I, SI) is false; slice_qp, SliceQPY, is clipped to 0..51. Of the contexts of field macroblocks
// and of 4:4:4 (277..398, 436..1011; Tables 9-22, 9-23, the rest of 9-24, 9-25 to 9-32), which are never decoded
// here, the states are only such that they may be indexed. 276, of terminate bins, has the state of 9.3.1.2.
void init_contexts(ContextState (&states)[CONTEXTS], bool intra_slice, int cabac_init_idc, int slice_qp);

// Table 9-43, ctxIdxInc of significant_coeff_flag (frame coded) and last_significant_coeff_flag by levelListIdx, for
// ctxBlockCat 5
extern const uint8_t SIGNIFICANT_8X8[63];
extern const uint8_t LAST_8X8[63];

}  // namespace edgecvar::h264
