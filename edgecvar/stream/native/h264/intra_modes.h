// Intra NxN prediction modes, which matter to residuals of lossless streams alone (ITU-T H.264, 8.3.1.1, 8.3.2.1, 8.5.15).
#pragma once

#include "h264/residual.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

class IntraModes {
public:
    // Takes in the modes of the neighbours.
    void load(const SliceState& s);
    // Of one 4x4 block, or an 8x8 block by the number of its first: `coded` is rem_intra_pred_mode, or -1.
    void set(int block, bool is_8x8, int coded);
    void keep(SliceState& s) const;
    // By mb_type (Table 7-11; 0 is I_NxN, whose modes have been set) and intra_chroma_pred_mode.
    BypassDirections directions(int mb_type, int chroma_mode) const;

private:
    static constexpr int DC = 2, NONE = -1;
    int8_t modes_[5][5];  // row 0 and column 0 are the neighbours'; NONE where not available
};

// For macroblocks of other kinds: as neighbours they count as DC.
void keep_no_modes(SliceState& s);

}  // namespace edgecvar::h264
