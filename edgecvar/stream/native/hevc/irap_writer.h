// I-pictures written as IDR pictures that reorder nothing, so that any decoder gives each at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "bits.h"
#include "hevc/parameter_sets.h"
#include "nal.h"

namespace edgecvar::hevc {

// One a stream. Samples stay the same to the bit.
class IrapWriter {
public:
    // `extradata` says how the stream's packets are packaged; Damage where it is broken.
    IrapWriter(const uint8_t* extradata, size_t size);

    // An access unit of Annex B with the parameter sets that it needs, from the packet of a picture all of whose slices
    // are I, whatever its type, and the sets in force. It shows the whole coded picture: nothing is cropped. Damage where
    // slices are missing or broken, Unsupported for what other decoders may not read: other than 8-bit 4:2:0.
    std::vector<uint8_t> write(const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size);

private:
    struct Part {
        SliceHeader header;
        Payload payload;
    };

    void follow(const std::vector<uint8_t>& sets);
    void take(const NalUnit& unit);
    void gather(const uint8_t* packet, size_t size);
    void add(const NalUnit& unit);

    int length_size_;
    std::vector<uint8_t> known_;                    // the sets that `sets_` holds
    ParameterSets sets_;
    std::map<int, Payload> sequences_;              // by id
    std::map<int, std::vector<uint8_t>> pictures_;  // units, by id
    std::vector<Part> parts_;                       // slice segments: the first `count_` are the picture's
    size_t count_ = 0;
};

}  // namespace edgecvar::hevc
