// A picture between its headers and its macroblocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bits.h"
#include "motion_store.h"
#include "parsed_picture.h"
#include "syntax.h"

namespace edgecvar {

struct Slice {
    SliceHeader header;
    Payload payload;
};

// Its headers have been read and followed: what parsing its macroblocks takes, in whatever thread.
struct GatheredPicture {
    std::vector<Slice> slices;               // the first `count`, at least one
    size_t count = 0;
    std::shared_ptr<ParsedPicture> picture;  // with tag, kind, SPS, and a store with the references of all slices
    std::vector<std::shared_ptr<const MotionStore>> colocated;  // by slice; null but for B, and if intra or lost
    int32_t poc = 0;                         // while it is decoded: the tag has what it is afterwards
    bool order_unknown = false;              // Dpb::order_unknown
};

}  // namespace edgecvar
