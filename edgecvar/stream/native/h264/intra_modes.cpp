// Intra NxN prediction modes (ITU-T H.264, 8.3.1.1, 8.3.2.1, 8.5.15).
#include "h264/intra_modes.h"

#include <algorithm>

#include "h264/scan_tables.h"

namespace edgecvar::h264 {

namespace {

// 1 vertical, 2 horizontal, 0 anything else: luma modes 0 and 1 of all block sizes (Tables 8-2, 8-3, 8-4).
uint8_t luma_direction(int mode) { return mode == 0 ? 1 : mode == 1 ? 2 : 0; }

}  // namespace

void IntraModes::load(const SliceState& s) {
    // Neighbours predicted from other pictures make the mode DC where they may not be used (8.3.1.1).
    const auto usable = [&s](bool available, const MacroblockEdges* edges) {
        return available && (edges->intra || !s.pps.constrained_intra_pred);
    };
    const bool left = usable(s.left, s.a), top = usable(s.top, s.b);
    for (int i = 0; i < 4; ++i) {
        modes_[0][i + 1] = top ? s.b->modes_bottom[i] : int8_t(NONE);
        modes_[i + 1][0] = left ? s.a->modes_right[i] : int8_t(NONE);
    }
}

void IntraModes::set(int block, bool is_8x8, int coded) {
    const int x = BLOCK_X[block] + 1, y = BLOCK_Y[block] + 1;
    const int a = modes_[y][x - 1], b = modes_[y - 1][x];
    int mode = a == NONE || b == NONE ? DC : std::min(a, b);
    if (coded >= 0) mode = coded < mode ? coded : coded + 1;
    const int size = is_8x8 ? 2 : 1;
    for (int row = y; row < y + size; ++row) {
        for (int column = x; column < x + size; ++column) modes_[row][column] = int8_t(mode);
    }
}

void IntraModes::keep(SliceState& s) const {
    for (int i = 0; i < 4; ++i) {
        s.edges->modes_right[i] = modes_[i + 1][4];
        s.edges->modes_bottom[i] = modes_[4][i + 1];
    }
}

BypassDirections IntraModes::directions(int mb_type, int chroma_mode) const {
    BypassDirections found{};
    for (int block = 0; block < 16; ++block) {
        const int mode = mb_type == 0 ? modes_[BLOCK_Y[block] + 1][BLOCK_X[block] + 1] : (mb_type - 1) & 3;
        found[block] = luma_direction(mode);
    }
    if (mb_type != 0) found[0] |= BYPASS_INTRA_16X16;
    found[16] = chroma_mode == 2 ? 1 : chroma_mode == 1 ? 2 : 0;  // Table 8-5
    return found;
}

void keep_no_modes(SliceState& s) {
    std::fill_n(s.edges->modes_right, 4, int8_t(2));
    std::fill_n(s.edges->modes_bottom, 4, int8_t(2));
}

}  // namespace edgecvar::h264
