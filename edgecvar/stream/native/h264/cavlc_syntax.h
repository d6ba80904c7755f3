// Syntax elements of macroblocks in CAVLC and Exp-Golomb codes (ITU-T H.264, 7.3.4, 7.3.5, 9.1, 9.2).
#pragma once

#include "bits.h"
#include "h264/cabac_syntax.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

// The same calls as CabacSyntax, where the comments are.
class CavlcSyntax {
public:
    static constexpr bool RUNS = true;
    static constexpr uint8_t absent(bool) { return ABSENT; }

    CavlcSyntax(SliceState& state, const Payload& payload);

    bool overrun() const { return bits_.past_data(); }
    // mb_skip_run, at most `left`.
    uint32_t skip_run(uint32_t left);
    bool more_data() const { return bits_.more_data(); }

    MacroblockType mb_type();
    // mb_type P_8x8ref0 (Table 7-13) has been read: references are 0 and not coded.
    bool refs_zero() const { return refs_zero_; }
    int sub_mb_type();
    bool transform_8x8_flag() { return bits_.flag(); }
    int intra_mode() { return bits_.flag() ? -1 : int(bits_.bits(3)); }
    int chroma_mode();
    int coded_block_pattern(bool intra);
    int qp_delta() { return bits_.se(); }
    void pcm(size_t bits);

    void start_motion() {}
    int ref_idx(int list, int block, int count);
    void note_ref(int, int, int) {}
    MotionVector mvd(int list, int x, int y, int width, int height);
    void end_motion() {}

    int luma_dc(CoefficientCounts& counts);
    int luma_4x4(CoefficientCounts& counts, int block, bool ac);
    void luma_8x8(CoefficientCounts& counts, int block);
    int chroma_dc(int plane);
    int chroma_ac(CoefficientCounts& counts, int plane, int block);

private:
    static constexpr uint8_t ABSENT = 64;  // above any count: nC of one neighbour is then its count modulo 32

    // nC of 9.2.1 by the counts to the left and above.
    static int class_of(const uint8_t* count, int stride) {
        int n = count[-1] + count[-stride];
        if (n < ABSENT) n = (n + 1) >> 1;
        n &= 31;
        return n < 2 ? 0 : n < 4 ? 1 : n < 8 ? 2 : 3;
    }
    // One block: positions are first + scale * (0 .. maximum - 1). Returns total_coeff.
    int levels(int nc_class, int maximum, int block, int first, int scale = 1);

    SliceState& s_;
    BitReader bits_;
    bool refs_zero_ = false;
};

}  // namespace edgecvar::h264
