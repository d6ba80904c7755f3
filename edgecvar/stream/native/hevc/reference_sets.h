// Short-term reference picture sets (ITU-T H.265, 7.3.7, 7.4.8).
#pragma once

#include <vector>

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// st_ref_pic_set(idx) after `sets`, idx being their number; in a slice header any of them may be what it rests on, in
// an SPS only the last.
ShortTermSet read_short_term_set(BitReader& reader, const std::vector<ShortTermSet>& sets, bool in_slice);

}  // namespace edgecvar::hevc
