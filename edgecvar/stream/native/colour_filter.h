// From y, cb and cr, or from the coefficients of a residual, to a network's input: three channels on its grid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "filter.h"
#include "parsed_picture.h"
#include "resampler.h"

namespace edgecvar {

// What makes one channel: its parts of y, cb and cr and an offset, kept from `low` to `high`; then scale and shift.
struct Channel {
    float y, cb, cr, offset;
    float scale, shift;
};

struct Colour {
    std::array<Channel, 3> channels;
    float low, high;
};

using Targets = std::array<Target, 3>;

// A plane of samples, rows `stride` of them apart.
template <class Sample>
struct Samples {
    const Sample* at;
    ptrdiff_t stride;
};

// One view of the pictures of one stream. What it needs to compute is kept; two threads take turns.
class ColourFilter {
public:
    // The axes lead to one input; chroma has half the inputs of luma, rounded up: std::invalid_argument where not.
    ColourFilter(const Axes& luma, const Axes& chroma);
    ColourFilter(const ColourFilter&) = delete;
    ColourFilter& operator=(const ColourFilter&) = delete;

    const Axes& luma() const { return luma_; }
    const Axes& chroma() const { return chroma_; }
    // The residual of a P or B picture in 8-bit units: coded macroblocks alone are touched. std::invalid_argument where
    // its coded size is not that of the axes.
    void residual(const ParsedPicture& picture, const Colour& colour, const Targets& targets);
    // Of uint8_t or int16_t, in the sizes of the axes' inputs.
    template <class Sample>
    void planes(const std::array<Samples<Sample>, 3>& planes, const Colour& colour, const Targets& targets);

private:
    Axes luma_, chroma_;
    std::array<Filter, 3> parts_;      // y, cb and cr
    std::array<Resampler, 3> wholes_;  // of them
    std::mutex mutex_;
};

}  // namespace edgecvar
