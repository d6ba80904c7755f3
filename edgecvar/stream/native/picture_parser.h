// The slices of one picture, parsed to its motion and coefficients; losses are concealed.
#pragma once

#include <cstddef>
#include <vector>

#include "bits.h"
#include "dpb.h"
#include "parsed_picture.h"
#include "slice_state.h"
#include "store_pool.h"
#include "syntax.h"

namespace edgecvar {

struct Slice {
    SliceHeader header;
    Payload payload;
};

// Its memory serves picture after picture.
class PictureParser {
public:
    // The `count` slices, at least one, of the picture that is `current` in the buffer. `picture` has its kind, SPS and
    // tag, and gets the rest, with what was damaged.
    void parse(const Slice* slices, size_t count, const Dpb& dpb, const CurrentPicture& current,
               ParsedPicture& picture);

private:
    StorePool stores_;
    LevelBuffer levels_;
    std::vector<MacroblockEdges> edges_;
};

}  // namespace edgecvar
