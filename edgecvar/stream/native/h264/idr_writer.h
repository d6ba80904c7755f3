// I-pictures written as IDR pictures that reorder nothing, so that any decoder gives each at once.
#pragma once

#include <cstdint>
#include <vector>

#include "h264/gathered_slices.h"
#include "h264/units.h"
#include "held_sets.h"

namespace edgecvar::h264 {

// One a stream: pictures that follow each other get different ids. Samples stay the same to the bit.
class IdrWriter {
public:
    // `extradata` says how the stream's packets are packaged; Damage where it is broken.
    IdrWriter(const uint8_t* extradata, size_t size);

    // An access unit of Annex B with the parameter sets that it needs, from the packet of an I-picture and the sets in
    // force. It shows the whole coded picture: nothing is cropped. Damage where slices are missing or broken, Unsupported
    // for what other decoders may not read: other than 8-bit 4:2:0, slice groups, slices out of order, data partitioning.
    std::vector<uint8_t> write(const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size);

private:
    void follow(const std::vector<uint8_t>& sets);
    void gather(const uint8_t* packet, size_t size);
    void add(const NalUnit& unit);

    int length_size_;
    std::vector<uint8_t> known_;  // the sets that `held_` holds
    HeldSets<Units> held_;
    std::vector<Slice> slices_;   // the first `count_` are the picture's
    size_t count_ = 0;
    uint32_t id_ = 0;             // idr_pic_id of the last
};

}  // namespace edgecvar::h264
