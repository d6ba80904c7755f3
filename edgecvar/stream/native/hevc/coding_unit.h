// What is known of the coding unit that is being parsed.
#pragma once

#include "hevc/motion.h"

namespace edgecvar::hevc {

struct CodingUnit {
    int x = 0, y = 0, log2_size = 3;  // in luma samples
    bool intra = false, bypass = false;  // CuPredMode is MODE_INTRA; cu_transquant_bypass_flag
    bool pcm = false;
    PartMode part_mode = PartMode::WHOLE;
    int luma_modes[4] = {1, 1, 1, 1};  // IntraPredModeY, by partition; one counts where it is not FOUR
    int chroma_mode = 1;               // IntraPredModeC
    int max_transform_depth = 0;       // MaxTrafoDepth
};

// Its one prediction unit.
inline PredictionUnit whole_unit(const CodingUnit& cu) {
    PredictionUnit unit;
    unit.cu_x = unit.x = cu.x;
    unit.cu_y = unit.y = cu.y;
    unit.cu_log2_size = cu.log2_size;
    unit.width = unit.height = 1 << cu.log2_size;
    return unit;
}

}  // namespace edgecvar::hevc
