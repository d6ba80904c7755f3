// Picture parameter sets (ITU-T H.265, 7.3.2.3, 7.4.3.3).
#pragma once

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// Reads one into `pps`, whose ids are known once Unsupported is thrown. Without its SPS it is only known to be whole, and
// which SPS it names.
void read_picture_set(const Payload& payload, const Sps* sps, Pps& pps);

// The conversions of addresses by its tiles (6.5.1).
void set_addresses(const Sps& sps, Pps& pps);

}  // namespace edgecvar::hevc
