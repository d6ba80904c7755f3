// Parameter sets, SEI messages and slice segment headers: reading and keeping them (ITU-T H.265, 7.3.2 and 7.3.6).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bits.h"
#include "hevc/syntax.h"
#include "nal.h"

namespace edgecvar::hevc {

enum NalType {
    TRAIL_N = 0,
    TRAIL_R = 1,
    RADL_N = 6,
    RADL_R = 7,
    RASL_N = 8,
    RASL_R = 9,
    BLA_W_LP = 16,
    BLA_W_RADL = 17,
    BLA_N_LP = 18,
    IDR_W_RADL = 19,
    IDR_N_LP = 20,
    CRA = 21,
    VPS = 32,
    SPS = 33,
    PPS = 34,
    DELIMITER = 35,
    END_OF_SEQUENCE = 36,
    END_OF_BITSTREAM = 37,
    PREFIX_SEI = 39,
    SUFFIX_SEI = 40
};

// The sets in force. A set that arrives replaces the one of its id; slices keep those they were read with. A VPS says
// nothing that is needed: it is not read.
class ParameterSets {
public:
    // Damage where the set is broken (the old one stays), Unsupported for what is not parsed here, named.
    void read_sps(const Payload& payload);
    // A PPS is resolved against its SPS when a slice first uses it: either may arrive first.
    void read_pps(const Payload& payload);

    // Damage if a set is missing or the header is broken. `before` is the header of the segment before in the picture:
    // a dependent segment takes its slice's fields from it, and is Damage where it is null.
    SliceHeader read_slice_header(const NalUnit& unit, const Payload& payload, const SliceHeader* before);

private:
    std::shared_ptr<const Pps> resolved(int id);

    std::array<std::shared_ptr<const Sps>, 16> sps_;
    std::array<std::vector<uint8_t>, 16> sps_bytes_;  // a set that is repeated unchanged stays the same object
    std::array<std::string, 16> unsupported_;         // why the set of an id is not parsed, empty where it is
    std::map<int, Payload> pps_payloads_;
    std::map<int, std::shared_ptr<const Pps>> pps_;
};

// recovery_poc_cnt of the recovery point among the messages of a prefix SEI unit; -1 where none is, or it is negative.
int recovery_poc_cnt(const Payload& payload);

}  // namespace edgecvar::hevc
