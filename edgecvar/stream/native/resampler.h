// Whole planes onto another grid, as a Filter has them of their samples one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "filter.h"

namespace edgecvar {

class Resampler {
public:
    explicit Resampler(const Axes& axes);

    // Rows of the plane are `stride` samples apart. Gives output rows x output columns, which hold until the next.
    const float* plane(const uint8_t* samples, ptrdiff_t stride);
    const float* plane(const int16_t* samples, ptrdiff_t stride);

private:
    const Axes* axes_;
    std::vector<float> rows_, columns_;  // of some output rows, first one after another, then side by side
    std::vector<float> out_;
};

}  // namespace edgecvar
