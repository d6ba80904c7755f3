// Direct prediction of B macroblocks and sub-macroblocks (ITU-T H.264, 8.4.1.2).
#pragma once

#include "motion_prediction.h"
#include "slice_state.h"

namespace edgecvar {

// Motion of the four 8x8 blocks of a macroblock as direct prediction gives it.
struct DirectMotion {
    int8_t ref[2][4];            // by 8x8 block, -1 for none
    MotionVector mv[2][16];      // by 4x4 block in raster order
    bool uniform = false;        // all blocks alike: only the first is filled in
    uint8_t unknown = 0;         // bit by 8x8 block: what its co-located block refers to is in no list here
};

// Looks up the co-located picture of a B slice and prepares temporal scaling; its lists must be there.
void prepare_direct(SliceState& s);

// Of the current macroblock, before anything of it is stored.
void predict_direct(SliceState& s, DirectMotion& direct);

// DiffPicOrderCnt-based DistScaleFactor (8.4.1.2.3) of a pair of references, also for implicit weights (8.4.3).
// False where it does not apply: a long-term reference, or no distance between the two.
bool dist_scale_factor(int32_t poc, const Reference& zero, const Reference& one, int& factor);

}  // namespace edgecvar
