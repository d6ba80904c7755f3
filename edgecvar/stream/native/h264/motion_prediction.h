// Prediction of motion vectors from neighbouring partitions (ITU-T H.264, 8.4.1.1 and 8.4.1.3).
#pragma once

#include <cstdint>

#include "h264/slice_state.h"

namespace edgecvar::h264 {

inline int median(int a, int b, int c) {
    const int low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

inline MotionVector median(MotionVector a, MotionVector b, MotionVector c) {
    return {int16_t(median(a.x, b.x, c.x)), int16_t(median(a.y, b.y, c.y))};
}

// Vectors and references around and in a macroblock: rows of 8, the macroblock's blocks at columns 4 to 7 and rows
// 1 to 4, left neighbours at column 3, upper ones in row 0 from column 3 to 8.
struct MotionCache {
    static constexpr int STRIDE = 8, ORIGIN = 12, SIZE = 41;

    MotionVector mv[2][SIZE];
    int8_t ref[2][SIZE];

    // Takes in the neighbours; the macroblock's own blocks and those to its right become UNAVAILABLE.
    void load(SliceState& s);
    // Sets a rectangle, in blocks from the macroblock's first one.
    void set(int list, int x, int y, int width, int height, int ref_idx, MotionVector vector) {
        for (int row = y; row < y + height; ++row) {
            for (int column = x; column < x + width; ++column) {
                const int at = ORIGIN + row * STRIDE + column;
                mv[list][at] = vector;
                ref[list][at] = int8_t(ref_idx);
            }
        }
    }
    // mvpLX by the median rule for a partition at (x, y), `width` blocks wide (8.4.1.3.1).
    MotionVector median_at(int list, int x, int y, int width, int ref_idx) const;
    // mvpLX of partition 0 or 1 of a 16x8 or 8x16 macroblock.
    MotionVector at_16x8(int list, int part, int ref_idx) const;
    MotionVector at_8x16(int list, int part, int ref_idx) const;
    // Writes the macroblock's blocks to the store; 0 and -1 where a list is unused.
    void store(SliceState& s) const;

private:
    int diagonal(int list, int at, int width, MotionVector& vector) const;
};

// One neighbour: its ref_idx (UNAVAILABLE, or -1 for one that does not use the list) and vector.
struct NeighbourMotion {
    int ref = UNAVAILABLE;
    MotionVector mv{};
};

// The median rule of 8.4.1.3.1 with its exceptions.
inline MotionVector predict_median(const NeighbourMotion& a, const NeighbourMotion& b, const NeighbourMotion& c,
                                   int ref_idx) {
    const bool match_a = a.ref == ref_idx, match_b = b.ref == ref_idx, match_c = c.ref == ref_idx;
    if (b.ref == UNAVAILABLE && c.ref == UNAVAILABLE && a.ref != UNAVAILABLE) return a.mv;
    if (match_a + match_b + match_c == 1) return match_a ? a.mv : match_b ? b.mv : c.mv;
    return median(a.mv, b.mv, c.mv);
}

// Neighbours A, B and C (D in place of a missing C) of the whole macroblock.
struct MacroblockNeighbours {
    NeighbourMotion a, b, c;

    MacroblockNeighbours(SliceState& s, int list) {
        const MotionVector* own = s.mv(list);
        const int8_t* refs = s.ref(list);
        if (s.left) a = {refs[-1], own[-1]};
        if (s.top) b = {refs[-s.stride8], own[-s.stride4]};
        if (s.top_right) {
            c = {refs[2 - s.stride8], own[4 - s.stride4]};
        } else if (s.top_left) {
            c = {refs[-1 - s.stride8], own[-1 - s.stride4]};
        }
    }
    MotionVector median_for(int ref_idx) const { return predict_median(a, b, c, ref_idx); }
};

// P_Skip: mv of the whole macroblock (8.4.1.1).
MotionVector predict_p_skip(SliceState& s);

// Gives the whole macroblock one reference and vector in a list; -1 for none.
void store_16x16(SliceState& s, int list, int ref_idx, MotionVector vector);

}  // namespace edgecvar::h264
