// Scaling lists of parameter sets (ITU-T H.265, 7.3.4, 7.4.5).
#pragma once

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

ScalingLists default_lists();

// scaling_list_data(), with what is predicted and what falls back filled in.
ScalingLists read_scaling_lists(BitReader& reader);

}  // namespace edgecvar::hevc
