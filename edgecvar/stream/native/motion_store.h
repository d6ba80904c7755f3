// What is kept of a parsed picture: its motion, and who its references were.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "references.h"

namespace edgecvar {

class PendingPicture;

struct MotionVector {
    int16_t x, y;
};
static_assert(sizeof(MotionVector) == 4);

enum MacroblockFlag : uint8_t {
    MB_INTRA = 1,
    MB_8X8DCT = 8,
    MB_BYPASS = 32,    // lossless: coefficients are the residual
};

constexpr uint16_t NO_SLICE = 0xFFFF;

// Motion of one picture in raster order; unused lists and intra blocks have vector 0 and reference -1. What has one entry
// a square of 2^n x 2^n 4x4 blocks is `width >> n` wide; the slices of squares that the border cuts are there too.
struct MotionStore {
    int width = 0, height = 0;           // in 4x4 blocks
    int mb_width = 0, mb_height = 0;     // in squares of 16x16 samples, rounded up
    int ref_log2 = 1;                    // a reference is of 2^ref_log2 x 2^ref_log2 4x4 blocks
    int flag_log2 = 2;                   // and a flag of 2^flag_log2 x 2^flag_log2
    bool two_lists = false;              // there are B slices: else list 1 is 0 and -1 all over
    std::vector<MotionVector> mv;        // one a 4x4 block: 2 lists x height x width
    std::vector<int8_t> ref;             // ref_idx: 2 lists x (height >> ref_log2) x (width >> ref_log2)
    std::vector<uint8_t> flags;          // MacroblockFlag: (height >> flag_log2) x (width >> flag_log2)
    std::vector<uint16_t> slice;         // index into `slices`, one a square of 16x16 samples: mb_height x mb_width
    std::vector<SliceReferences> slices;
    std::shared_ptr<PendingPicture> pending;  // the rest is there once this is parsed; null where it was at once

    // A picture with or without B slices begins. Its vectors and references of list 0 are those of an earlier picture,
    // and of list 1 too where it has B slices: every block sets them.
    void start(bool has_two_lists) {
        if (two_lists && !has_two_lists) {
            std::fill(mv.begin() + std::ptrdiff_t(mv.size() / 2), mv.end(), MotionVector{0, 0});
            std::fill(ref.begin() + std::ptrdiff_t(ref.size() / 2), ref.end(), int8_t(-1));
        }
        two_lists = has_two_lists;
        std::fill(flags.begin(), flags.end(), uint8_t(0));
        std::fill(slice.begin(), slice.end(), NO_SLICE);
    }
};

// One entry of a reference list, as a decoded picture buffer keeps it.
struct Reference {
    std::shared_ptr<Tag> tag;  // never null
    std::shared_ptr<const MotionStore> motion;  // null for pictures of I slices and lost ones
    bool long_term = false;
};

}  // namespace edgecvar
