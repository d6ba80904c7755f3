// The slices of a picture, their headers read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bits.h"
#include "gathered_picture.h"
#include "h264/syntax.h"

namespace edgecvar::h264 {

struct Slice {
    SliceHeader header;
    Payload payload;
};

struct GatheredPicture : edgecvar::GatheredPicture {
    std::vector<Slice> slices;   // the first `count`, at least one
    size_t count = 0;
    int32_t poc = 0;             // while it is decoded: the tag has what it is afterwards
    bool order_unknown = false;  // Dpb::order_unknown
};

}  // namespace edgecvar::h264
