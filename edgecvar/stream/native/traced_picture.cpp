// Sums of macroblocks: their memory, and whole pictures of them.
#include "traced_picture.h"

#include <algorithm>
#include <utility>

namespace edgecvar {

SumsIndex SumsPool::take() {
    if (free_.empty()) {
        const size_t first = holders_.size(), end = first + SLAB;
        holders_.resize(end, 0);
        free_.reserve(end);
        slabs_.emplace_back(new Sums[SLAB]);
        for (size_t index = end; index > std::max<size_t>(first, NO_SUMS + 1); --index)
            free_.push_back(SumsIndex(index - 1));
    }
    const SumsIndex index = free_.back();
    free_.pop_back();
    holders_[index] = 1;
    return index;
}

TracedPicture::TracedPicture(std::shared_ptr<SumsPool> pool, int width, int height)
    : pool_(std::move(pool)), width_(width), height_(height), mb_width_((width + 15) / 16),
      mb_height_((height + 15) / 16), indices_(size_t(mb_width_) * size_t(mb_height_), NO_SUMS) {}

TracedPicture::~TracedPicture() {
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    for (const SumsIndex index : indices_) pool_->drop(index);
}

void TracedPicture::displacement(float* out) const {
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    const int columns = width_ / 4, rows = height_ / 4;
    for (int y = 0; y < mb_height_; ++y) {
        for (int x = 0; x < mb_width_; ++x) {
            const Sums* own = sums(x, y);
            if (!own) continue;
            const size_t count = 2 * size_t(std::min(4, columns - 4 * x));
            for (int row = 0; row < std::min(4, rows - 4 * y); ++row)
                std::copy_n(&own->displacement[4 * row][0], count,
                            out + 2 * (size_t(4 * y + row) * size_t(columns) + size_t(4 * x)));
        }
    }
}

void TracedPicture::residual(int16_t* y, int16_t* cb, int16_t* cr) const {
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    int16_t* const planes[3] = {y, cb, cr};
    for (int mb_y = 0; mb_y < mb_height_; ++mb_y) {
        for (int mb_x = 0; mb_x < mb_width_; ++mb_x) {
            const Sums* own = sums(mb_x, mb_y);
            if (!own || !own->coded) continue;
            for (size_t i = 0; i < 3; ++i) {
                const SumsPlane& plane = SUMS_PLANES[i];
                const int coarser = 16 / plane.side, width = width_ / coarser, height = height_ / coarser;
                const int left = mb_x * plane.side, top = mb_y * plane.side;
                const size_t count = size_t(std::min(plane.side, width - left));
                for (int row = 0; row < std::min(plane.side, height - top); ++row)
                    std::copy_n(own->samples + plane.first + row * plane.side, count,
                                planes[i] + size_t(top + row) * size_t(width) + size_t(left));
            }
        }
    }
}

}  // namespace edgecvar
