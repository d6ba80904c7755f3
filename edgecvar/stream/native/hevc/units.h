// What the NAL units of H.265 are to the decoder that both standards share.
#pragma once

#include <memory>

#include "hevc/parameter_sets.h"
#include "hevc/picture_gatherer.h"
#include "nal.h"
#include "set_ids.h"

namespace edgecvar::hevc {

// See h264/units.h. Layers beyond the base are extra: what they hold is left out and counted.
struct Units {
    using ParameterSets = hevc::ParameterSets;
    using PictureGatherer = hevc::PictureGatherer;
    static constexpr Standard STANDARD = Standard::HEVC;
    static constexpr int SEQUENCE = SPS, PICTURE = PPS;

    static bool is_set(const NalUnit& unit) { return unit.type >= VPS && unit.type <= PPS; }
    static bool is_read(const NalUnit& unit) { return unit.type != VPS; }
    static bool is_slice(const NalUnit& unit) {
        return unit.type >= TRAIL_N && unit.type <= CRA && (unit.type <= RASL_R || unit.type >= BLA_W_LP);
    }
    static bool is_message(const NalUnit& unit) { return unit.type == PREFIX_SEI; }
    static bool ends_sequence(const NalUnit& unit) {
        return unit.type == END_OF_SEQUENCE || unit.type == END_OF_BITSTREAM;
    }
    static bool is_extra(const NalUnit& unit) { return unit.layer > 0; }
    static bool has_picture(const NalUnit& unit) { return is_slice(unit); }
    static const char* unsupported(const NalUnit&) { return nullptr; }
    static bool expects_unsupported(const PictureGatherer&) { return false; }

    static int id(const NalUnit& unit, const Payload& payload);
    static void read(const NalUnit& unit, const Payload& payload, ParameterSets& sets);
    static SetIds named(const NalUnit& slice, const Payload& payload, ParameterSets& sets);

    static std::unique_ptr<PictureParser> parser(int threads);
};

}  // namespace edgecvar::hevc
