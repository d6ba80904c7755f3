// The slices of one picture, parsed to its motion and coefficients; losses are concealed.
#pragma once

#include <vector>

#include "h264/gathered_slices.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

class PictureParser : public edgecvar::PictureParser {
public:
    void parse(const edgecvar::GatheredPicture& gathered) override;

private:
    void parse_slices(const GatheredPicture& gathered, PictureState& state);

    LevelBuffer levels_;
    std::vector<MacroblockEdges> edges_;
};

}  // namespace edgecvar::h264
