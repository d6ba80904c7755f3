// What stands in for the blocks that no slice gave.
#include "concealment.h"

#include <algorithm>
#include <vector>

namespace edgecvar {

namespace {

// Sets what one square of 16x16 samples has in a plane with an entry for 2^log2 x 2^log2 4x4 blocks.
template <class T>
void fill_square(T* plane, const MotionStore& motion, size_t square, int log2, T value) {
    const size_t width = size_t(motion.width) >> log2, height = size_t(motion.height) >> log2, side = size_t(4) >> log2;
    const size_t left = square % size_t(motion.mb_width) * side, top = square / size_t(motion.mb_width) * side;
    for (size_t y = top; y < std::min(top + side, height); ++y)
        std::fill(plane + y * width + left, plane + y * width + std::min(left + side, width), value);
}

}  // namespace

void conceal(ParsedPicture& picture) {
    MotionStore& motion = *picture.motion;
    uint16_t inter = NO_SLICE;
    for (size_t i = 0; i < motion.slices.size() && inter == NO_SLICE; ++i) {
        if (!motion.slices[i].lists[0].empty()) inter = uint16_t(i);
    }
    for (size_t square = 0; square < motion.slice.size(); ++square) {
        if (motion.slice[square] != NO_SLICE) continue;
        ++picture.concealed_macroblocks;
        motion.slice[square] = inter == NO_SLICE ? 0 : inter;
        fill_square(motion.flags.data(), motion, square, motion.flag_log2, uint8_t(0));
        for (size_t list = 0; list < 2; ++list) {
            const int8_t ref = list == 0 && inter != NO_SLICE ? 0 : -1;
            fill_square(motion.mv.data() + list * motion.mv.size() / 2, motion, square, 0, MotionVector{0, 0});
            fill_square(motion.ref.data() + list * motion.ref.size() / 2, motion, square, motion.ref_log2, ref);
        }
    }
}

}  // namespace edgecvar
