// Intra prediction modes, which the scan of small blocks follows (ITU-T H.265, 8.4.2 and 8.4.3).
#pragma once

namespace edgecvar::hevc {

enum IntraMode { INTRA_PLANAR = 0, INTRA_DC = 1, INTRA_ANGULAR_10 = 10, INTRA_ANGULAR_26 = 26, INTRA_ANGULAR_34 = 34 };
enum ScanIdx { SCAN_DIAGONAL = 0, SCAN_HORIZONTAL = 1, SCAN_VERTICAL = 2 };

struct CandidateModes {
    int modes[3];
};

// candModeList of the modes to the left and above.
CandidateModes candidate_modes(int left, int above);

// IntraPredModeY of rem_intra_luma_pred_mode.
int remaining_mode(CandidateModes candidates, int remaining);

// IntraPredModeC of intra_chroma_pred_mode.
int chroma_mode(int luma_mode, int syntax);

// scanIdx of a block that is small enough for its mode to count (7.4.9.11).
constexpr int scan_of_mode(int mode) {
    return mode >= 6 && mode <= 14 ? SCAN_VERTICAL : mode >= 22 && mode <= 30 ? SCAN_HORIZONTAL : SCAN_DIAGONAL;
}

}  // namespace edgecvar::hevc
