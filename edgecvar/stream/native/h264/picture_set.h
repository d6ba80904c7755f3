// Picture parameter sets (ITU-T H.264, 7.3.2.2, 7.4.2.2).
#pragma once

#include "bits.h"
#include "h264/syntax.h"

namespace edgecvar::h264 {

// Without an SPS the part that every profile has. Damage where it is broken, or does not go with its SPS.
Pps read_picture_set(const Payload& payload, const Sps* sps);

}  // namespace edgecvar::h264
