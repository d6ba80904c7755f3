// What the NAL units of H.265 are to the decoder that both standards share.
#include "hevc/units.h"

#include <algorithm>

#include "hevc/picture_parser.h"
#include "hevc/sequence_set.h"

namespace edgecvar::hevc {

// It stands first in a PPS, in four bits in a VPS, and behind the profile in an SPS.
int Units::id(const NalUnit& unit, const Payload& payload) {
    BitReader bits(payload);
    if (unit.type == VPS) return int(bits.bits(4));
    if (unit.type == SPS) return sequence_set_id(bits);
    return int(std::min(bits.ue(), 255u));
}

void Units::read(const NalUnit& unit, const Payload& payload, ParameterSets& sets) {
    if (unit.type == SPS) sets.read_sps(payload);
    if (unit.type == PPS) sets.read_pps(payload);
}

SetIds Units::named(const NalUnit& slice, const Payload& payload, ParameterSets& sets) {
    const SliceHeader header = sets.read_slice_header(slice, payload, nullptr);
    return {header.sps->id, header.pps->id};
}

std::unique_ptr<PictureParser> Units::parser(int threads) { return picture_parser(threads); }

}  // namespace edgecvar::hevc
