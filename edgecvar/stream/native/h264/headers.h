// Parameter sets, SEI messages and slice headers: reading and keeping them (ITU-T H.264, 7.3.2.1 to 7.3.2.3, 7.3.3).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bits.h"
#include "h264/syntax.h"
#include "nal.h"

namespace edgecvar::h264 {

// nal_unit_type (Table 7-1), of those that are told apart here.
enum NalType { SLICE = 1, PARTITION_A = 2, PARTITION_C = 4, IDR_SLICE = 5, SEI = 6, SPS = 7, PPS = 8, DELIMITER = 9 };

// The sets in force. A set that arrives replaces the one of its id; slices keep those they were read with.
class ParameterSets {
public:
    // Damage where the set is broken (the old one stays), Unsupported for what is not parsed here.
    void read_sps(const Payload& payload);
    // A PPS is resolved against its SPS when a slice first uses it: either may arrive first.
    void read_pps(const Payload& payload);

    // Damage if a set is missing; Unsupported for SP and SI slices and for field pictures.
    SliceHeader read_slice_header(const NalUnit& unit, const Payload& payload);

private:
    std::shared_ptr<const Pps> resolved(int id);

    std::array<std::shared_ptr<const Sps>, 32> sps_;
    std::array<std::vector<uint8_t>, 32> sps_bytes_;  // a set that is repeated unchanged stays the same object
    std::array<std::string, 32> unsupported_;         // why the set of an id is not parsed, empty where it is
    std::map<int, Payload> pps_payloads_;
    std::map<int, std::shared_ptr<const Pps>> pps_;
};

// recovery_frame_cnt of the recovery point among the messages of an SEI unit; -1 where none is.
int recovery_frame_cnt(const Payload& payload);

// Whether `next` starts another primary coded picture than `last` (7.4.1.2.4).
bool starts_picture(const SliceHeader& last, const SliceHeader& next);

// mapUnitToSliceGroupMap of a frame in raster order (8.2.2), one group number a macroblock.
std::vector<uint8_t> slice_group_map(const Sps& sps, const Pps& pps, const SliceHeader& header);

}  // namespace edgecvar::h264
