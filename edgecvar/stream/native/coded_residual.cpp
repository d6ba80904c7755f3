// The residual of a picture as its blocks give it, whatever the standard.
#include "coded_residual.h"

#include <cstring>

namespace edgecvar {

namespace {

// Of a size that the compiler knows: rows are too short to call a function for each.
template <int SIZE>
void copy_square(const Plane& from, const Plane& to) {
    for (int row = 0; row < SIZE; ++row)
        std::memcpy(to.samples + row * to.stride, from.samples + row * from.stride, SIZE * sizeof(int16_t));
}

}  // namespace

void CodedResidual::write(const std::array<Plane, 3>& planes) const {
    blocks([&](const ResidualBlock& block) {
        const Plane& plane = planes[size_t(block.plane)];
        const auto copy = block.size == 4    ? copy_square<4>
                          : block.size == 8  ? copy_square<8>
                          : block.size == 16 ? copy_square<16>
                                             : copy_square<32>;
        copy(block.samples, {plane.samples + block.y * plane.stride + block.x, plane.stride});
    });
}

}  // namespace edgecvar
