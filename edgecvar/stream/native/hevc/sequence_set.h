// Sequence parameter sets (ITU-T H.265, 7.3.2.2, 7.4.3.2, Annex A, Annex E).
#pragma once

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// Reads all that is kept of one into `sps`, whose id is known once Unsupported is thrown.
void read_sequence_set(BitReader& reader, Sps& sps);

// The id of one that may be of a profile, or have a feature, that is not parsed here.
int sequence_set_id(BitReader& reader);

// vui_parameters() (E.2.1), of which field_seq_flag alone is kept.
void read_vui(BitReader& reader, uint32_t max_sub_layers_minus1, Sps& sps);

}  // namespace edgecvar::hevc
