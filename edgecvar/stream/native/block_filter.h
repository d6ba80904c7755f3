// From what 4x4 blocks have to a network's input, on its grid: content velocity in its unit, and which are intra.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "filter.h"
#include "parsed_picture.h"

namespace edgecvar {

// How the components of a velocity are scaled, and the magnitude at which they end after that.
struct VelocityScale {
    float x, y, limit;
};

// One view of the pictures of one stream. What it needs to compute is kept; two threads take turns.
class BlockFilter {
public:
    // `axes` lead from the coded picture's 4x4 blocks to the input.
    explicit BlockFilter(const Axes& axes) : axes_(axes), parts_{Filter(axes_), Filter(axes_)} {}
    BlockFilter(const BlockFilter&) = delete;
    BlockFilter& operator=(const BlockFilter&) = delete;

    const Axes& axes() const { return axes_; }
    // That of a P or B picture all references of which have their display indices; std::invalid_argument where it has
    // not as many blocks.
    void picture(const ParsedPicture& picture, const VelocityScale& scale, const Target& x, const Target& y);
    // That of an (x, y) for each block.
    void pairs(const float* pairs, const VelocityScale& scale, const Target& x, const Target& y);
    // The share of a P or B picture's area that is intra; std::invalid_argument as of `picture`.
    void intra(const ParsedPicture& picture, const Target& share);
    // That of what is true for each block.
    void mask(const bool* mask, const Target& share);

private:
    const MotionStore& motion(const ParsedPicture& picture) const;
    void finish_share(const Target& share);
    void finish(const VelocityScale& scale, const Target& x, const Target& y);

    Axes axes_;
    std::array<Filter, 2> parts_;  // x and y; of shares the first
    std::mutex mutex_;
};

}  // namespace edgecvar
