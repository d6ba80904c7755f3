// What is kept of a parsed picture: its motion, and who its references were.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <vector>

#include "syntax.h"

namespace edgecvar {

class PendingPicture;

// A picture as others name it. Small, shared, and without ties to anything larger.
struct Tag {
    uint32_t number = 0;      // of the packet, in decode order
    int32_t poc = 0;          // PicOrderCnt
    int32_t display = 0;      // display index, once it is known
    bool displayed = false;   // whether `display` is known
    bool lost = false;        // never arrived: inferred from a gap in frame_num, or in place of a missing reference
    bool damaged = false;     // a part of it was concealed, or rests on what was; known once it is parsed
    std::shared_future<void> parsed;  // not valid where it was at once; holds what was thrown but for damage

    bool is_parsed() const {
        return !parsed.valid() || parsed.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
    void wait() const {
        if (parsed.valid()) parsed.wait();
    }
};

struct MotionVector {
    int16_t x, y;
};
static_assert(sizeof(MotionVector) == 4);

enum MacroblockFlag : uint8_t {
    MB_INTRA = 1,
    MB_8X8DCT = 8,
    MB_BYPASS = 32,    // lossless: coefficients are the residual
};

// The references of one slice: what ref_idx means, and how each weighs.
struct SliceReferences {
    SliceType type = SliceType::I;
    std::vector<std::shared_ptr<Tag>> lists[2];
    std::vector<bool> long_term[2];
    int weighting = 0;  // 0 plain, 1 explicit, 2 implicit
    int luma_log2_denom = 0, chroma_log2_denom = 0;
    std::vector<std::array<Weight, 32>> weights;      // explicit, by list
    std::vector<std::vector<int16_t>> implicit;       // w1 by [ref_idx_l0][ref_idx_l1]; w0 = 64 - w1
    bool implicit_plain = true;                       // every pair weighs 32 : 32
};

constexpr uint16_t NO_SLICE = 0xFFFF;

// Motion of one picture in raster order; unused lists and intra blocks have vector 0 and reference -1.
struct MotionStore {
    int mb_width = 0, mb_height = 0;
    bool two_lists = false;              // there are B slices: else list 1 is 0 and -1 all over
    std::vector<MotionVector> mv;        // one a 4x4 block: 2 lists x (4 mb_height) x (4 mb_width)
    std::vector<int8_t> ref;             // ref_idx, one an 8x8 block: 2 lists x (2 mb_height) x (2 mb_width)
    std::vector<uint8_t> flags;          // MacroblockFlag, one a macroblock
    std::vector<uint16_t> slice;         // index into `slices`, one a macroblock
    std::vector<SliceReferences> slices;
    std::shared_ptr<PendingPicture> pending;  // the rest is there once this is parsed; null where it was at once

    // A picture with or without B slices begins. Its vectors and references of list 0 are those of an earlier picture,
    // and of list 1 too where it has B slices: every macroblock sets them.
    void start(bool has_two_lists) {
        const size_t count = slice.size();
        if (two_lists && !has_two_lists) {
            std::fill(mv.begin() + std::ptrdiff_t(16 * count), mv.end(), MotionVector{0, 0});
            std::fill(ref.begin() + std::ptrdiff_t(4 * count), ref.end(), int8_t(-1));
        }
        two_lists = has_two_lists;
        std::fill(flags.begin(), flags.end(), uint8_t(0));
        std::fill(slice.begin(), slice.end(), NO_SLICE);
    }
};

}  // namespace edgecvar
