// The motion of prediction units: merge candidates and predicted vectors (ITU-T H.265, 8.5.3.2).
#pragma once

#include <cstdint>

#include "hevc/picture_state.h"

namespace edgecvar::hevc {

enum class PartMode : uint8_t { WHOLE, TWO_ROWS, TWO_COLUMNS, FOUR, ROWS_UP, ROWS_DOWN, COLUMNS_LEFT, COLUMNS_RIGHT };

struct PredictionUnit {
    int cu_x = 0, cu_y = 0, cu_log2_size = 3;  // in luma samples
    int x = 0, y = 0, width = 8, height = 8;   // in luma samples
    PartMode part_mode = PartMode::WHOLE;
    int part = 0;                              // partIdx
};

struct Motion {
    MotionVector mv[2] = {{0, 0}, {0, 0}};
    int8_t ref[2] = {-1, -1};                  // -1: the list is unused; its vector is 0 then
};

// What merge_idx stands for (8.5.3.2.2 to 8.5.3.2.5), 8x4 and 4x8 units reduced to one list. merge_idx is below
// header.max_merge_candidates.
Motion merged_motion(SliceState& slice, const PredictionUnit& unit, int merge_idx);

// mvpLX of a list, a ref_idx of it and mvp_lX_flag (8.5.3.2.6 to 8.5.3.2.9).
MotionVector predicted_vector(SliceState& slice, const PredictionUnit& unit, int list, int ref_idx, bool second);

// Writes it over the unit's 4x4 blocks; list 1 alone where the picture has B slices.
void store_motion(MotionStore& store, const PredictionUnit& unit, const Motion& motion);

}  // namespace edgecvar::hevc
