// Vectors of references near and far as one velocity.
#include "velocity.h"

#include <algorithm>
#include <cstring>

namespace edgecvar {

int16_t display_offset(const Tag& own, const Tag& reference) {
    if (reference.lost || !reference.displayed) return reference.poc > own.poc ? 1 : -1;
    return int16_t(std::clamp(int64_t(reference.display) - own.display, int64_t(-32768), int64_t(32767)));
}

Velocity::Velocity(const ParsedPicture& picture) : motion_(picture.motion.get()) {
    for (const SliceReferences& slice : motion_->slices) {
        auto& steps = steps_.emplace_back();
        for (int list = 0; list < 2; ++list) {
            steps[size_t(list)].fill(0);
            for (size_t i = 0; i < std::min<size_t>(slice.lists[list].size(), 32); ++i) {
                steps[size_t(list)][i + 1] = 4.0f * float(display_offset(*picture.tag, *slice.lists[list][i]));
            }
        }
    }
}

bool Velocity::moves(int row, int mb) const {
    const size_t width = size_t(motion_->width), plane = motion_->mv.size() / 2;
    const MotionVector* four = motion_->mv.data() + size_t(row) * width + size_t(mb) * 4;
    uint64_t words[4] = {};
    if (motion_->width - 4 * mb >= 4) {
        std::memcpy(words, four, 16);
        if (motion_->two_lists) std::memcpy(words + 2, four + plane, 16);
        return (words[0] | words[1] | words[2] | words[3]) != 0;
    }
    const size_t left = size_t(motion_->width - 4 * mb) * sizeof *four;
    std::memcpy(words, four, left);
    if (motion_->two_lists) std::memcpy(words + 2, four + plane, left);
    return (words[0] | words[1] | words[2] | words[3]) != 0;
}

void Velocity::fill(int row, int mb, float* x, float* y) const {
    const size_t width = size_t(motion_->width), plane = motion_->mv.size() / 2, first = size_t(mb) * 4;
    const size_t coarser = size_t(motion_->ref_log2), refs = motion_->ref.size() / 2;
    const MotionVector* const vectors = motion_->mv.data() + size_t(row) * width;
    const int8_t* const indices = motion_->ref.data() + (size_t(row) >> coarser) * (width >> coarser);
    const auto& steps = steps_[motion_->slice[size_t(row >> 2) * size_t(motion_->mb_width) + size_t(mb)]];
    for (size_t block = first; block < std::min(first + 4, width); ++block) {
        float sum_x = 0, sum_y = 0;
        int used = 0;
        for (size_t list = 0; list < (motion_->two_lists ? 2u : 1u); ++list) {
            const MotionVector mv = vectors[list * plane + block];
            const int8_t ref = indices[list * refs + (block >> coarser)];
            const float step = steps[list][size_t(std::clamp(ref + 1, 0, 32))];
            if (step == 0) continue;
            sum_x += float(mv.x) / step;
            sum_y += float(mv.y) / step;
            ++used;
        }
        const float share = used > 1 ? 0.5f : 1.0f;
        x[block] = share * sum_x;
        y[block] = share * sum_y;
    }
}

}  // namespace edgecvar
