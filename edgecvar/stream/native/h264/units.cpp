// What the NAL units of H.264 are to the decoder that both standards share.
#include "h264/units.h"

#include <algorithm>
#include <memory>

#include "h264/picture_parser.h"

namespace edgecvar::h264 {

namespace {

constexpr int EXTENDED = 88;  // a profile of which data partitions and SP slices are expected (A.2.3)

}  // namespace

const char* Units::unsupported(const NalUnit& unit) {
    if (unit.type == 14 || unit.type == 15 || unit.type == 20 || unit.type == 21) return "SVC or MVC layers";
    return is_partition(unit) ? "data partitioning" : nullptr;
}

bool Units::expects_unsupported(const PictureGatherer& gatherer) {
    const auto& active = gatherer.place().active;
    return active && active->profile_idc == EXTENDED;
}

// It stands first in a PPS and after three bytes in an SPS.
int Units::id(const NalUnit& unit, const Payload& payload) {
    BitReader bits(payload);
    if (unit.type == SPS) bits.skip(24);
    return int(std::min(bits.ue(), 255u));
}

void Units::read(const NalUnit& unit, const Payload& payload, ParameterSets& sets) {
    unit.type == SPS ? sets.read_sps(payload) : sets.read_pps(payload);
}

SetIds Units::named(const NalUnit& slice, const Payload& payload, ParameterSets& sets) {
    const SliceHeader header = sets.read_slice_header(slice, payload);
    return {header.sps->id, header.pps->id};
}

std::unique_ptr<edgecvar::PictureParser> Units::parser(int) { return std::make_unique<PictureParser>(); }

}  // namespace edgecvar::h264
