// Sequence parameter sets (ITU-T H.264, 7.3.2.1.1, 7.4.2.1, Annex A, Annex E).
#pragma once

#include "bits.h"
#include "h264/syntax.h"

namespace edgecvar::h264 {

// A few bytes may not ask for much memory, and levels are often stated wrong: 4096x4096 is the largest that hardware
// decodes.
constexpr uint32_t MAX_MACROBLOCKS = 65536;

// Reads all that is kept of one into `sps`, whose id is known once Unsupported is thrown.
void read_sequence_set(BitReader& reader, Sps& sps);

}  // namespace edgecvar::h264
