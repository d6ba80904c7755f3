// Intra prediction modes (ITU-T H.265, 8.4.2 and 8.4.3).
#include "hevc/intra_modes.h"

#include <utility>

namespace edgecvar::hevc {

CandidateModes candidate_modes(int left, int above) {
    if (left == above) {
        if (left < 2) return {{INTRA_PLANAR, INTRA_DC, INTRA_ANGULAR_26}};
        return {{left, 2 + (left + 29) % 32, 2 + (left - 2 + 1) % 32}};
    }
    int third = INTRA_ANGULAR_26;
    if (left != INTRA_PLANAR && above != INTRA_PLANAR) {
        third = INTRA_PLANAR;
    } else if (left != INTRA_DC && above != INTRA_DC) {
        third = INTRA_DC;
    }
    return {{left, above, third}};
}

int remaining_mode(CandidateModes candidates, int remaining) {
    int* modes = candidates.modes;
    if (modes[0] > modes[1]) std::swap(modes[0], modes[1]);
    if (modes[0] > modes[2]) std::swap(modes[0], modes[2]);
    if (modes[1] > modes[2]) std::swap(modes[1], modes[2]);
    int mode = remaining;
    for (int i = 0; i < 3; ++i) mode += mode >= modes[i];
    return mode;
}

int chroma_mode(int luma_mode, int syntax) {
    constexpr int MODES[4] = {INTRA_PLANAR, INTRA_ANGULAR_26, INTRA_ANGULAR_10, INTRA_DC};
    if (syntax > 3) return luma_mode;
    return MODES[syntax] == luma_mode ? INTRA_ANGULAR_34 : MODES[syntax];
}

}  // namespace edgecvar::hevc
