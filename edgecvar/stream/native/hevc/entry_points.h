// Where the substreams of a slice segment begin (ITU-T H.265, 7.3.6.1, 7.4.7.1).
#pragma once

#include "bits.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// The entry points of a header that has been read this far: entry_points gets their distances in bytes of the NAL unit,
// from the start of the slice segment data on.
void read_entry_offsets(BitReader& reader, SliceHeader& header);

// Makes positions in the payload of distances; from the first on that leads out of it they are left out.
void place_entry_points(SliceHeader& header, const Payload& payload);

}  // namespace edgecvar::hevc
