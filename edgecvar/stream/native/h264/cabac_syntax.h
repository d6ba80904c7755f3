// Syntax elements of macroblocks in CABAC (ITU-T H.264, 9.3).
#pragma once

#include "cabac.h"
#include "h264/contexts.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

// mb_type as its slice type numbers it: intra ones (Table 7-11) and inter ones (Tables 7-13, 7-14) apart.
struct MacroblockType {
    bool intra = false;
    int value = 0;
};

class CabacSyntax {
public:
    static constexpr bool RUNS = false;  // skipped macroblocks come as flags, not as runs
    // Counts of blocks outside the slice (9.3.3.1.1.9).
    static constexpr uint8_t absent(bool intra) { return intra ? 1 : 0; }

    CabacSyntax(SliceState& state, const Payload& payload);

    // Whether what has been read lies behind the end of the slice data.
    bool overrun() const { return engine_.loaded_to() > end_ && engine_.position() > end_; }
    bool skip_flag();
    // end_of_slice_flag; Damage where it comes before the data ends.
    bool end_of_slice();

    MacroblockType mb_type();
    int sub_mb_type();
    bool transform_8x8_flag();
    int intra_mode();  // rem_intra_pred_mode, or -1 where the predicted mode is meant
    int chroma_mode();
    int coded_block_pattern(bool intra);
    int qp_delta();
    // Steps over the samples of an I_PCM macroblock.
    void pcm(size_t bits);

    // Before the references and vectors of an inter macroblock.
    void start_motion();
    int ref_idx(int list, int block, int count);
    // ref_idx of 8x8 blocks, as contexts of later ones: not called for direct ones.
    void note_ref(int list, int block, int ref_idx) { ref_positive_[list][block] = ref_idx > 0; }
    // mvd of the partition at (x, y) in 4x4 blocks.
    MotionVector mvd(int list, int x, int y, int width, int height);
    // Keeps the edges of both for the macroblocks to come.
    void end_motion();

    // Residual blocks; each returns whether anything is coded.
    int luma_dc(CoefficientCounts& counts);
    int luma_4x4(CoefficientCounts& counts, int block, bool ac);
    void luma_8x8(CoefficientCounts& counts, int block);
    int chroma_dc(int plane);
    int chroma_ac(CoefficientCounts& counts, int plane, int block);

private:
    int intra_type(int base, bool intra_slice);
    int mvd_component(int base, int sum);
    bool block_flag(int category, int left, int top) {
        return engine_.decision(states_[85 + category * 4 + left + 2 * top]);
    }
    template <int category>
    int levels(int block, int first);

    SliceState& s_;
    CabacEngine engine_;
    const uint8_t* end_;           // of the last byte with a bit set
    ContextState states_[CONTEXTS];
    uint16_t mvd_[2][41];          // laid out as MotionCache
    bool ref_positive_[2][4];
};

}  // namespace edgecvar::h264
