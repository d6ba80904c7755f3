#include "velocity_filter.h"

#include <algorithm>
#include <stdexcept>

#include "velocity.h"

namespace edgecvar {

void VelocityFilter::picture(const ParsedPicture& picture, const VelocityScale& scale, const Target& x,
                             const Target& y) {
    const int columns = axes_.columns.inputs();
    if (!picture.motion) throw std::invalid_argument("an I picture has no motion and no residual");
    if (picture.motion->mb_width * 4 != columns || picture.motion->mb_height * 4 != axes_.rows.inputs())
        throw std::invalid_argument("a picture of another size");
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

void VelocityFilter::pairs(const float* pairs, const VelocityScale& scale, const Target& x, const Target& y) {
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

void VelocityFilter::finish(const VelocityScale& scale, const Target& x, const Target& y) {
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
