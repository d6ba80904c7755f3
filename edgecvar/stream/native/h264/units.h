// What the NAL units of H.264 are to the decoder that both standards share.
#pragma once

#include <memory>

#include "h264/headers.h"
#include "h264/picture_gatherer.h"
#include "nal.h"
#include "set_ids.h"

namespace edgecvar::h264 {

struct Units {
    using ParameterSets = h264::ParameterSets;
    using PictureGatherer = h264::PictureGatherer;
    static constexpr Standard STANDARD = Standard::H264;
    static constexpr int SEQUENCE = SPS, PICTURE = PPS;  // NAL unit types of parameter sets

    static bool is_set(const NalUnit& unit) { return unit.type == SPS || unit.type == PPS; }
    static bool is_read(const NalUnit&) { return true; }
    static bool is_slice(const NalUnit& unit) { return unit.type == SLICE || unit.type == IDR_SLICE; }
    static bool is_message(const NalUnit& unit) { return unit.type == SEI; }
    static bool ends_sequence(const NalUnit&) { return false; }
    // Of a layer that the base layer does without: left out and counted.
    static bool is_extra(const NalUnit&) { return false; }
    // Whether it holds a part of a picture, and what it is where it is not parsed here, else null.
    static bool has_picture(const NalUnit& unit) { return is_slice(unit) || is_partition(unit); }
    static const char* unsupported(const NalUnit& unit);
    // Whether what is not parsed here is to be expected by the profile of the active sequence.
    static bool expects_unsupported(const PictureGatherer& gatherer);

    // The id of a set; what stands before it is skipped.
    static int id(const NalUnit& unit, const Payload& payload);
    static void read(const NalUnit& unit, const Payload& payload, ParameterSets& sets);
    // Of a slice that is the first of a picture; Damage, Unsupported where its header cannot be read.
    static SetIds named(const NalUnit& slice, const Payload& payload, ParameterSets& sets);

    static std::unique_ptr<edgecvar::PictureParser> parser(int threads);

private:
    static bool is_partition(const NalUnit& unit) { return unit.type >= PARTITION_A && unit.type <= PARTITION_C; }
};

}  // namespace edgecvar::h264
