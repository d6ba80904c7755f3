// The content velocity of a parsed picture.
#pragma once

#include <array>
#include <vector>

#include "parsed_picture.h"

namespace edgecvar {

// The distance in display order, one step where the reference never arrived.
int16_t display_offset(const Tag& own, const Tag& reference);

// Pixels a displayed picture, by 4x4 blocks: mv / 4 / display offset, both lists averaged, 0 on intra blocks.
class Velocity {
public:
    // Everything that `picture` refers to has its display index.
    explicit Velocity(const ParsedPicture& picture);

    // Calls `visit(column, count)` for the blocks of row `row` that may move; what they do is in `x` and `y` from
    // `column` on, which have room for the whole row.
    template <class Visit>
    void row(int row, float* x, float* y, Visit visit) const {
        const int mb_width = motion_->mb_width, width = motion_->width;
        int from = -1;
        for (int mb = 0; mb < mb_width; ++mb) {
            const bool moving = moves(row, mb);
            if (moving) fill(row, mb, x, y);
            if (moving && from < 0) from = mb;
            if (!moving && from >= 0) {
                visit(4 * from, 4 * (mb - from));
                from = -1;
            }
        }
        if (from >= 0) visit(4 * from, width - 4 * from);
    }

private:
    bool moves(int row, int mb) const;
    void fill(int row, int mb, float* x, float* y) const;

    const MotionStore* motion_;
    // Quarter pixels that are one pixel a displayed picture, by slice, list and ref_idx + 1; 0 where a list says nothing.
    std::vector<std::array<std::array<float, 33>, 2>> steps_;
};

}  // namespace edgecvar
