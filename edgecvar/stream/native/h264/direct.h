// Direct prediction of B macroblocks and sub-macroblocks (ITU-T H.264, 8.4.1.2).
#pragma once

#include "h264/motion_prediction.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

// Motion of the four 8x8 blocks of a macroblock as direct prediction gives it.
struct DirectMotion {
    int8_t ref[2][4];            // by 8x8 block, -1 for none
    MotionVector mv[2][16];      // by 4x4 block in raster order
    bool uniform = false;        // all blocks alike: only the first is filled in
    uint8_t unknown = 0;         // bit by 8x8 block: what its co-located block refers to is in no list here
};

// Takes the motion of RefPicList1[0] of a B slice, null of an intra or lost picture, and prepares temporal scaling.
void prepare_direct(SliceState& s, const MotionStore* colocated);

// Of the current macroblock, before anything of it is stored.
void predict_direct(SliceState& s, DirectMotion& direct);

// DiffPicOrderCnt-based DistScaleFactor (8.4.1.2.3) by the order counts of a picture and of a pair of short-term
// references, also for implicit weights (8.4.3). False where there is no distance between the two.
bool dist_scale_factor(int32_t poc, int32_t zero, int32_t one, int& factor);

}  // namespace edgecvar::h264
