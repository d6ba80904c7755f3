// What is known while the macroblocks of one slice are parsed: coefficient counts of neighbours.
#include "h264/slice_state.h"

namespace edgecvar::h264 {

void SliceState::load(CoefficientCounts& counts, uint8_t absent) const {
    std::memset(&counts, 0, sizeof counts);
    for (int i = 0; i < 4; ++i) {
        *counts.luma_at(i, -1) = top ? b->coefficients_bottom[i] : absent;
        *counts.luma_at(-1, i) = left ? a->coefficients_right[i] : absent;
    }
    for (int plane = 0; plane < 2; ++plane) {
        for (int i = 0; i < 2; ++i) {
            *counts.chroma_at(plane, i, -1) = top ? b->coefficients_bottom[4 + plane * 2 + i] : absent;
            *counts.chroma_at(plane, -1, i) = left ? a->coefficients_right[4 + plane * 2 + i] : absent;
        }
    }
}

void SliceState::keep(CoefficientCounts& counts) {
    for (int i = 0; i < 4; ++i) {
        edges->coefficients_right[i] = *counts.luma_at(3, i);
        edges->coefficients_bottom[i] = *counts.luma_at(i, 3);
    }
    for (int plane = 0; plane < 2; ++plane) {
        for (int i = 0; i < 2; ++i) {
            edges->coefficients_right[4 + plane * 2 + i] = *counts.chroma_at(plane, 1, i);
            edges->coefficients_bottom[4 + plane * 2 + i] = *counts.chroma_at(plane, i, 1);
        }
    }
}

}  // namespace edgecvar::h264
