#include "block_filter.h"

#include <algorithm>
#include <stdexcept>

#include "velocity.h"

namespace edgecvar {

const MotionStore& BlockFilter::motion(const ParsedPicture& picture) const {
    if (!picture.motion) throw std::invalid_argument("an I picture has no motion and no residual");
    if (picture.motion->width != axes_.columns.inputs() || picture.motion->height != axes_.rows.inputs())
        throw std::invalid_argument("a picture of another size");
    return *picture.motion;
}

void BlockFilter::picture(const ParsedPicture& picture, const VelocityScale& scale, const Target& x, const Target& y) {
    const int columns = motion(picture).width;
    const std::lock_guard<std::mutex> lock(mutex_);
    const Velocity velocity(picture);
    std::vector<float> across(static_cast<size_t>(columns)), down(across.size());
    for (int row = axes_.rows.begin(); row < axes_.rows.end(); ++row) {
        velocity.row(row, across.data(), down.data(), [&](int column, int count) {
            parts_[0].add(row, column, count, across.data() + column);
            parts_[1].add(row, column, count, down.data() + column);
        });
    }
    finish(scale, x, y);
}

void BlockFilter::pairs(const float* pairs, const VelocityScale& scale, const Target& x, const Target& y) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int columns = axes_.columns.inputs();
    std::vector<float> across(static_cast<size_t>(columns)), down(across.size());
    for (int row = axes_.rows.begin(); row < axes_.rows.end(); ++row) {
        const float* line = pairs + ptrdiff_t(row) * columns * 2;
        for (size_t column = 0; column < across.size(); ++column) {
            across[column] = line[2 * column];
            down[column] = line[2 * column + 1];
        }
        parts_[0].add(row, 0, columns, across.data());
        parts_[1].add(row, 0, columns, down.data());
    }
    finish(scale, x, y);
}

void BlockFilter::intra(const ParsedPicture& picture, const Target& share) {
    const MotionStore& store = motion(picture);
    const std::lock_guard<std::mutex> lock(mutex_);
    constexpr float whole[4] = {1, 1, 1, 1};
    const int log2 = store.flag_log2, count = store.width >> log2;
    for (int row = axes_.rows.begin(); row < axes_.rows.end(); ++row) {
        const uint8_t* flags = store.flags.data() + ptrdiff_t(row >> log2) * count;
        for (int i = 0; i < count; ++i)
            if (flags[i] & MB_INTRA) parts_[0].add(row, i << log2, 1 << log2, whole);
    }
    finish_share(share);
}

void BlockFilter::mask(const bool* mask, const Target& share) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int columns = axes_.columns.inputs();
    std::vector<float> line(static_cast<size_t>(columns));
    for (int row = axes_.rows.begin(); row < axes_.rows.end(); ++row) {
        std::copy_n(mask + ptrdiff_t(row) * columns, columns, line.data());
        parts_[0].add(row, 0, columns, line.data());
    }
    finish_share(share);
}

void BlockFilter::finish_share(const Target& share) {
    const int count = axes_.columns.outputs();
    std::vector<float> line(static_cast<size_t>(count));
    for (int row = 0; row < axes_.rows.outputs(); ++row) {
        parts_[0].take(row, line.data());
        share.store(row, line.data(), count);
    }
}

void BlockFilter::finish(const VelocityScale& scale, const Target& x, const Target& y) {
    const int count = axes_.columns.outputs();
    std::vector<float> line(static_cast<size_t>(count));
    const Target* const targets[2] = {&x, &y};
    const float factors[2] = {scale.x, scale.y};
    for (size_t part = 0; part < 2; ++part) {
        for (int row = 0; row < axes_.rows.outputs(); ++row) {
            if (parts_[part].take(row, line.data()))
                for (float& value : line) value = std::clamp(value * factors[part], -scale.limit, scale.limit);
            targets[part]->store(row, line.data(), count);
        }
    }
}

}  // namespace edgecvar
