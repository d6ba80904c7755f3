// Prediction of motion vectors from neighbouring partitions (ITU-T H.264, 8.4.1.1 and 8.4.1.3).
#include "h264/motion_prediction.h"

#include <cstring>

namespace edgecvar::h264 {

void MotionCache::load(SliceState& s) {
    for (int list = 0; list < s.list_count; ++list) {
        const MotionVector* own = s.mv(list);
        const int8_t* refs = s.ref(list);
        MotionVector* vectors = mv[list];
        int8_t* references = ref[list];
        std::memset(references, UNAVAILABLE & 0xFF, SIZE);
        std::memset(static_cast<void*>(vectors), 0, ORIGIN * sizeof(MotionVector));
        if (s.top) {
            std::memcpy(vectors + 4, own - s.stride4, 4 * sizeof(MotionVector));
            references[4] = references[5] = refs[-s.stride8];
            references[6] = references[7] = refs[-s.stride8 + 1];
        }
        if (s.top_right) {
            vectors[8] = own[4 - s.stride4];
            references[8] = refs[2 - s.stride8];
        }
        if (s.top_left) {
            vectors[3] = own[-1 - s.stride4];
            references[3] = refs[-1 - s.stride8];
        }
        for (int row = 0; row < 4; ++row) {
            const int at = ORIGIN + row * STRIDE - 1;
            vectors[at] = s.left ? own[row * s.stride4 - 1] : MotionVector{};
            vectors[at + 5] = {};
            if (s.left) references[at] = refs[(row >> 1) * s.stride8 - 1];
        }
    }
}

int MotionCache::diagonal(int list, int at, int width, MotionVector& vector) const {
    const int c = at - STRIDE + width;
    const int from = ref[list][c] == UNAVAILABLE ? at - STRIDE - 1 : c;
    vector = ref[list][from] == UNAVAILABLE ? MotionVector{} : mv[list][from];
    return ref[list][from];
}

MotionVector MotionCache::median_at(int list, int x, int y, int width, int ref_idx) const {
    const int at = ORIGIN + y * STRIDE + x;
    const NeighbourMotion a{ref[list][at - 1], mv[list][at - 1]};
    const NeighbourMotion b{ref[list][at - STRIDE], mv[list][at - STRIDE]};
    NeighbourMotion c;
    c.ref = diagonal(list, at, width, c.mv);
    return predict_median(a, b, c, ref_idx);
}

MotionVector MotionCache::at_16x8(int list, int part, int ref_idx) const {
    const int at = part == 0 ? ORIGIN - STRIDE : ORIGIN + 2 * STRIDE - 1;
    if (ref[list][at] == ref_idx) return mv[list][at];
    return median_at(list, 0, part * 2, 4, ref_idx);
}

MotionVector MotionCache::at_8x16(int list, int part, int ref_idx) const {
    if (part == 0) {
        if (ref[list][ORIGIN - 1] == ref_idx) return mv[list][ORIGIN - 1];
    } else {
        MotionVector vector;
        if (diagonal(list, ORIGIN + 2, 2, vector) == ref_idx) return vector;
    }
    return median_at(list, part * 2, 0, 2, ref_idx);
}

void MotionCache::store(SliceState& s) const {
    for (int list = 0; list < s.list_count; ++list) {
        MotionVector* own = s.mv(list);
        for (int row = 0; row < 4; ++row) {
            std::memcpy(own + row * s.stride4, mv[list] + ORIGIN + row * STRIDE, 4 * sizeof(MotionVector));
        }
        int8_t* refs = s.ref(list);
        for (int row = 0; row < 2; ++row) {
            for (int column = 0; column < 2; ++column) {
                const int ref_idx = ref[list][ORIGIN + row * 2 * STRIDE + column * 2];
                refs[row * s.stride8 + column] = int8_t(ref_idx);
                if (ref_idx >= 0) s.used_references[list] |= 1u << ref_idx;
            }
        }
    }
}

MotionVector predict_p_skip(SliceState& s) {
    if (!s.left || !s.top) return {};
    const MacroblockNeighbours around(s, 0);
    const auto still = [](const NeighbourMotion& n) { return n.ref == 0 && n.mv.x == 0 && n.mv.y == 0; };
    if (still(around.a) || still(around.b)) return {};
    return around.median_for(0);
}

void store_16x16(SliceState& s, int list, int ref_idx, MotionVector vector) {
    MotionVector* own = s.mv(list);
    MotionVector line[4] = {vector, vector, vector, vector};
    for (int row = 0; row < 4; ++row) std::memcpy(own + row * s.stride4, line, sizeof line);
    int8_t* refs = s.ref(list);
    refs[0] = refs[1] = refs[s.stride8] = refs[s.stride8 + 1] = int8_t(ref_idx);
    if (ref_idx >= 0) s.used_references[list] |= 1u << ref_idx;
}

}  // namespace edgecvar::h264
