// The slices of one picture, parsed to its motion and coefficients; losses are concealed.
#pragma once

#include <vector>

#include "gathered_picture.h"
#include "slice_state.h"

namespace edgecvar {

// Its memory serves picture after picture.
class PictureParser {
public:
    // Fills in the rest of the gathered picture, with what was damaged; its co-located pictures have been parsed. What
    // is thrown is no damage, and leaves the picture's store such that others may read it.
    void parse(const GatheredPicture& gathered);

private:
    void parse_slices(const GatheredPicture& gathered, PictureState& state);

    LevelBuffer levels_;
    std::vector<MacroblockEdges> edges_;
};

}  // namespace edgecvar
