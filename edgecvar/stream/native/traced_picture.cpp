// Sums of macroblocks: their memory, and whole pictures of them.
#include "traced_picture.h"

#include <algorithm>
#include <cstring>
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

TracedPicture::TracedPicture(std::shared_ptr<SumsPool> pool, int mb_width, int mb_height)
    : pool_(std::move(pool)), mb_width_(mb_width), mb_height_(mb_height),
      indices_(size_t(mb_width) * size_t(mb_height), NO_SUMS) {}

TracedPicture::~TracedPicture() {
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    for (const SumsIndex index : indices_) pool_->drop(index);
}

void TracedPicture::displacement(float* out) const {
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    const size_t stride = size_t(mb_width_) * 8;
    for (int y = 0; y < mb_height_; ++y) {
        for (int x = 0; x < mb_width_; ++x) {
            const Sums* own = sums(x, y);
            if (!own) continue;
            float* corner = out + size_t(y) * 4 * stride + size_t(x) * 8;
            for (size_t row = 0; row < 4; ++row)
                std::memcpy(corner + row * stride, own->displacement[4 * row], 8 * sizeof(float));
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
                const ptrdiff_t side = plane.side, stride = side * mb_width_;
                int16_t* corner = planes[i] + mb_y * side * stride + mb_x * side;
                for (ptrdiff_t row = 0; row < side; ++row)
                    std::copy_n(own->samples + plane.first + row * side, side, corner + row * stride);
            }
        }
    }
}

}  // namespace edgecvar
