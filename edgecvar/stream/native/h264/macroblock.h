// Slice data: the macroblock layer over either entropy coding (ITU-T H.264, 7.3.4 and 7.3.5).
#pragma once

#include "bits.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

// Parses a slice into its picture; the macroblocks that could be read stay there when Damage is thrown.
void parse_slice(SliceState& s, const Payload& payload);

}  // namespace edgecvar::h264
