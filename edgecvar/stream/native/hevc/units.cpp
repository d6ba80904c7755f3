// What the NAL units of H.265 are to the decoder that both standards share.
#include "hevc/units.h"

#include <algorithm>

#include "hevc/picture_parser.h"

namespace edgecvar::hevc {

namespace {

constexpr unsigned PROFILE_BITS = 88, LEVEL_BITS = 8;

// profile_tier_level (7.3.3) without a look at what it says.
void skip_profile(BitReader& bits, unsigned sub_layers) {
    bits.skip(PROFILE_BITS + LEVEL_BITS);
    if (sub_layers == 0) return;
    bool profile[8] = {}, level[8] = {};
    for (unsigned i = 0; i < 8; ++i) {  // reserved from the last sub-layer on
        profile[i] = bits.flag();
        level[i] = bits.flag();
    }
    for (unsigned i = 0; i < sub_layers; ++i) {
        if (profile[i]) bits.skip(PROFILE_BITS);
        if (level[i]) bits.skip(LEVEL_BITS);
    }
}

}  // namespace

// It stands first in a PPS, in four bits in a VPS, and behind the profile in an SPS.
int Units::id(const NalUnit& unit, const Payload& payload) {
    BitReader bits(payload);
    if (unit.type == VPS) return int(bits.bits(4));
    if (unit.type == SPS) {
        bits.skip(4);
        const unsigned sub_layers = bits.bits(3);
        bits.skip(1);
        skip_profile(bits, sub_layers);
    }
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
