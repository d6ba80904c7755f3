// What is known while the macroblocks of one slice are parsed: neighbours, references, and where results go.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "h264/residual.h"
#include "h264/syntax.h"
#include "motion_store.h"

namespace edgecvar::h264 {

constexpr int UNAVAILABLE = -2;  // as a ref_idx: outside the slice, or later in decoding order

// What later macroblocks need to know of one: its right and bottom edges and its kind.
struct MacroblockEdges {
    uint8_t coefficients_right[8];      // total_coeff (CAVLC) or coded_block_flag: 4 luma, 2 Cb, 2 Cr
    uint8_t coefficients_bottom[8];
    uint16_t mvd_right[2][4];           // absolute, at most 127: x in the low byte, y in the high
    uint16_t mvd_bottom[2][4];
    uint8_t ref_right[2], ref_bottom[2];  // bit i: ref_idx > 0 in the i-th 8x8 block of the edge
    uint8_t cbp;                        // CodedBlockPatternLuma | CodedBlockPatternChroma << 4
    uint8_t dc_flags;                   // coded_block_flag of the DC of luma (Intra_16x16), Cb, Cr
    bool skip, direct, intra, intra_nxn, transform_8x8;
    uint8_t chroma_mode;                // intra_chroma_pred_mode
    int8_t modes_right[4], modes_bottom[4];  // Intra NxN prediction modes, kept for lossless streams alone
};

// total_coeff (CAVLC) or coded_block_flag (CABAC) of the blocks in and around a macroblock.
struct CoefficientCounts {
    static constexpr int STRIDE = 8, LUMA = 12, CHROMA = 5, CHROMA_STRIDE = 4;

    uint8_t luma[5 * STRIDE];
    uint8_t chroma[2][3 * CHROMA_STRIDE];

    uint8_t* luma_at(int x, int y) { return luma + LUMA + y * STRIDE + x; }
    uint8_t* chroma_at(int plane, int x, int y) { return chroma[plane] + CHROMA + y * CHROMA_STRIDE + x; }
};

// Growing room for coefficient levels; reused from picture to picture, so nothing is cleared.
class LevelBuffer {
public:
    static constexpr size_t MACROBLOCK = 512;

    void clear() { used_ = 0; }
    // Makes room for one more macroblock.
    void prepare() {
        if (levels_.size() < used_ + MACROBLOCK) levels_.resize(levels_.size() * 2 + MACROBLOCK);
    }
    Coefficient* cursor() { return levels_.data() + used_; }
    void advance(Coefficient* cursor) { used_ = size_t(cursor - levels_.data()); }
    size_t size() const { return used_; }
    const Coefficient* data() const { return levels_.data(); }

private:
    std::vector<Coefficient> levels_;
    size_t used_ = 0;
};

// The picture that slices are parsed into.
struct PictureState {
    MotionStore* motion = nullptr;
    Coefficients* coefficients = nullptr;
    LevelBuffer* levels = nullptr;
    std::vector<MacroblockEdges> edges;  // two rows of macroblocks, in turn
    int32_t poc = 0;
    bool exact = true;
    std::vector<uint8_t> groups;         // slice groups by `groups_pps` and `groups_cycle`
    const Pps* groups_pps = nullptr;
    uint32_t groups_cycle = 0;
    int groups_made = 0;

    void start(int mb_width) { edges.resize(size_t(mb_width) * 2); }
};

// Co-located motion and how it maps on this slice (8.4.1.2.1 to 8.4.1.2.3).
struct DirectState {
    const MotionStore* colocated = nullptr;  // null: all intra
    bool long_term = false;                  // RefPicList1[0] is a long-term picture
    std::vector<int8_t> map[2];              // by ref_idx in `map_slice` of the co-located picture: refIdxL0
    uint16_t map_slice[2] = {0xFFFF, 0xFFFF};
    int16_t scale[32] = {};                  // DistScaleFactor by refIdxL0
    bool unscaled[32] = {};                  // long-term, or no distance: mvCol is used as it is
};

constexpr int lists_of(SliceType type) {
    if (type == SliceType::I) return 0;
    return type == SliceType::B ? 2 : 1;
}

struct SliceState {
    SliceState(const SliceHeader& slice_header, PictureState& picture_state, uint16_t slice_index)
        : header(slice_header), sps(*slice_header.sps), pps(*slice_header.pps), picture(picture_state),
          motion(*picture_state.motion), references(motion.slices[slice_index]), index(slice_index),
          mb_width(slice_header.sps->mb_width), mb_height(slice_header.sps->mb_height), stride4(mb_width * 4),
          stride8(mb_width * 2), list_count(lists_of(slice_header.type)), qp(slice_header.qp) {}

    const SliceHeader& header;
    const Sps& sps;
    const Pps& pps;
    PictureState& picture;
    MotionStore& motion;
    const SliceReferences& references;
    const uint16_t index;
    const int mb_width, mb_height, stride4, stride8;
    const int list_count;
    const std::vector<uint8_t>* groups = nullptr;  // slice groups by macroblock, null where there is one
    DirectState direct;
    uint32_t used_references[2] = {0, 0};
    bool used_direct = false;

    // The macroblock.
    uint32_t mb = UINT32_MAX - 1;  // before the first one
    int mb_x = 0, mb_y = 0;
    bool left = false, top = false, top_right = false, top_left = false;
    const MacroblockEdges* a = nullptr;  // left and top, meaningful where available
    const MacroblockEdges* b = nullptr;
    MacroblockEdges* edges = nullptr;    // its own
    int qp;
    int last_qp_delta = 0;               // mb_qp_delta of the macroblock before, for its context

    // Moves to macroblock `address`: what is around it belongs to this slice, or is not there.
    void enter(uint32_t address) {
        if (address == mb + 1 && mb_x + 1 < mb_width) {
            step(1);
        } else {
            mb_x = int(address % uint32_t(mb_width));
            mb_y = int(address / uint32_t(mb_width));
            place();
        }
        mb = address;
        const uint16_t* slice = motion.slice.data() + address;
        left = mb_x > 0 && slice[-1] == index;
        const bool above = mb_y > 0;
        top = above && slice[-mb_width] == index;
        top_right = above && mb_x + 1 < mb_width && slice[-mb_width + 1] == index;
        top_left = above && mb_x > 0 && slice[-mb_width - 1] == index;
        a = left ? edges - 1 : nullptr;
    }

    // Takes in the neighbours' counts, `absent` where there is none; its own are 0.
    void load(CoefficientCounts& counts, uint8_t absent) const;
    // Keeps the edges of the macroblock's own.
    void keep(CoefficientCounts& counts);

    // The macroblock's first vector and ref_idx in the store.
    MotionVector* mv(int list) { return mv_[list]; }
    int8_t* ref(int list) { return ref_[list]; }

private:
    void step(int count) {
        mb_x += count;
        edges += count;
        b += count;
        for (int list = 0; list < 2; ++list) {
            mv_[list] += 4 * count;
            ref_[list] += 2 * count;
        }
    }
    // Everything that goes by the row.
    void place() {
        edges = picture.edges.data() + (mb_y & 1 ? mb_width : 0);
        b = picture.edges.data() + (mb_y & 1 ? 0 : mb_width);
        for (int list = 0; list < 2; ++list) {
            mv_[list] = motion.mv.data() + (size_t(list) * mb_height + mb_y) * 4 * stride4;
            ref_[list] = motion.ref.data() + (size_t(list) * mb_height + mb_y) * 2 * stride8;
        }
        const int column = mb_x;
        mb_x = 0;
        step(column);
    }

    MotionVector* mv_[2] = {nullptr, nullptr};
    int8_t* ref_[2] = {nullptr, nullptr};
};

}  // namespace edgecvar::h264
