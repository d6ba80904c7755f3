// Scaling lists of parameter sets and what they fall back to (ITU-T H.264, 7.3.2.1.1.1 and Table 7-2).
#pragma once

#include "bits.h"
#include "h264/syntax.h"

namespace edgecvar::h264 {

ScalingLists flat_lists();
ScalingLists default_lists();

// Lists that are not present fall back to `base` at the head of a chain, else to the list before (Table 7-2): `base`
// holds the default lists for fall-back rule set A, those of the SPS for B.
ScalingLists read_scaling_lists(BitReader& reader, const ScalingLists& base, bool with_8x8);

}  // namespace edgecvar::h264
