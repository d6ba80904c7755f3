// Who the references of a picture are, and how each weighs, whatever the standard.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <vector>

namespace edgecvar {

enum class SliceType { P, B, I };

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

// One reference's explicit weights: Y, Cb, Cr.
struct Weight {
    int16_t weight[3] = {1, 1, 1};
    int16_t offset[3] = {0, 0, 0};
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

}  // namespace edgecvar
