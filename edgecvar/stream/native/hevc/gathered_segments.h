// The slice segments of a picture, their headers read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bits.h"
#include "gathered_picture.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

struct Segment {
    SliceHeader header;
    Payload payload;
    int slice = 0;  // index into motion->slices: a dependent segment has that of the slice it belongs to
};

struct GatheredPicture : edgecvar::GatheredPicture {
    std::vector<Segment> segments;  // the first `count`, at least one
    size_t count = 0;
    int32_t poc = 0;
    bool unreliable = false;        // RASL, and what it may refer to came before the stream's or sequence's start:
                                    // it is not exact
};

}  // namespace edgecvar::hevc
