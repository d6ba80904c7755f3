// Vectors of the collocated picture, and vectors scaled by distances in time (ITU-T H.265, 8.5.3.2.7 to 8.5.3.2.9).
#pragma once

#include <cstdint>

#include "hevc/motion.h"

namespace edgecvar::hevc {

// A vector over the distance `from` as one over the distance `to`, both of picture order counts; as it is where the
// former is 0, which only broken streams have.
MotionVector scaled_vector(MotionVector vector, int64_t from, int64_t to);

// mvLXCol, where it is available.
bool temporal_vector(SliceState& slice, const PredictionUnit& unit, int list, int ref_idx, MotionVector& vector);

}  // namespace edgecvar::hevc
