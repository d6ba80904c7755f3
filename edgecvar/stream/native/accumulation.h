// Displacement and residual since the I-picture, added up along the references (Wu et al. 2018, section 3.1).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "parsed_picture.h"
#include "traced_picture.h"

namespace edgecvar {

// A picture that others refer to.
struct TracedReference {
    int offset = 0;  // its display index minus that of who refers to it
    std::shared_ptr<const TracedPicture> picture;
    bool current = true;  // its paths begin at the newest I-picture
};

// Motion and residual of a picture in arrays on the coded grid, whoever read it; planes are null where none are wanted.
struct PictureArrays {
    const MotionVector* mv;     // 2 x (H/4) x (W/4)
    const int16_t* ref_offset;  // 2 x (H/4) x (W/4), 0 where unused
    const bool* intra;          // (H/4) x (W/4)
    const int16_t *y, *cb, *cr;
};

class TracedBlocks;

// Display offsets of the references that blocks use, in rising order; all display indices are known.
std::vector<int> offsets_in_use(const ParsedPicture& picture);
std::vector<int> offsets_in_use(const int16_t* ref_offset, const bool* intra, size_t blocks);

// Follows the pictures of one stream. Of each block the displacement is its vector, and that of the reference where the
// vector leads to; the residual is its own, and that of the reference. Both are fetched at the nearest 4x4 block or
// sample inside the picture. Two lists are averaged, but where one alone leads to the newest I-picture it counts
// alone. Sums end at the limits of int16.
class Accumulator {
public:
    // Of pictures of so many luma samples, multiples of 8.
    Accumulator(int width, int height, bool residual);

    int width() const { return width_; }
    int height() const { return height_; }
    bool residual() const { return residual_; }

    // Where paths begin: all is zero.
    std::shared_ptr<TracedPicture> origin() const;
    // std::invalid_argument where the picture is of another size or a reference in use is not among those given, or one
    // of them is another accumulator's.
    std::shared_ptr<TracedPicture> follow(const ParsedPicture& picture,
                                          const std::vector<TracedReference>& references) const;
    std::shared_ptr<TracedPicture> follow(const PictureArrays& picture,
                                          const std::vector<TracedReference>& references) const;

private:
    std::shared_ptr<TracedPicture> follow(TracedBlocks& blocks, const std::vector<TracedReference>& references) const;
    const std::vector<TracedReference>& checked(const std::vector<TracedReference>& references) const;

    int width_, height_;
    bool residual_;
    std::shared_ptr<SumsPool> pool_;
};

}  // namespace edgecvar
