// The motion of blocks around a prediction unit, read from the picture's store (ITU-T H.265, 6.4.2).
#pragma once

#include <cstddef>
#include <cstring>

#include "hevc/motion.h"

namespace edgecvar::hevc {

inline bool same_vector(MotionVector a, MotionVector b) { return a.x == b.x && a.y == b.y; }

inline bool same_motion(const Motion& a, const Motion& b) {
    return std::memcmp(a.mv, b.mv, sizeof a.mv) == 0 && std::memcmp(a.ref, b.ref, sizeof a.ref) == 0;
}

// Whether the prediction block at (x, y) is available to the unit, be it inter or intra.
inline bool precedes(const SliceState& slice, const PredictionUnit& unit, int x, int y) {
    const int left = x - unit.cu_x, top = y - unit.cu_y, size = 1 << unit.cu_log2_size;
    if (left < 0 || top < 0 || left >= size || top >= size) return slice.available(unit.x, unit.y, x, y);
    return !(unit.part_mode == PartMode::FOUR && unit.part == 1 && top >= unit.height);
}

// The motion at (x, y) where that is inter. What has not been parsed yet holds motion of an earlier picture, so that
// whether it is available is asked for first.
inline bool stored_motion(const SliceState& slice, int x, int y, Motion& motion) {
    const MotionStore& store = *slice.picture.motion;
    const size_t zero = size_t(y >> 2) * size_t(store.width) + size_t(x >> 2);
    const size_t one = zero + size_t(store.width) * size_t(store.height);
    motion.ref[0] = store.ref[zero];
    motion.ref[1] = store.ref[one];
    if (motion.ref[0] < 0 && motion.ref[1] < 0) return false;
    motion.mv[0] = store.mv[zero];
    motion.mv[1] = store.mv[one];
    return true;
}

// The motion of A0 or B0, where they are available and inter.
inline bool motion_at(const SliceState& slice, const PredictionUnit& unit, int x, int y, Motion& motion) {
    return precedes(slice, unit, x, y) && stored_motion(slice, x, y, motion);
}

// And of A1, B1 or B2, which come before the unit.
inline bool motion_before(const SliceState& slice, const PredictionUnit& unit, int x, int y, Motion& motion) {
    return slice.available_before(unit.x, unit.y, x, y) && stored_motion(slice, x, y, motion);
}

}  // namespace edgecvar::hevc
