// Direct prediction of B macroblocks and sub-macroblocks (ITU-T H.264, 8.4.1.2).
#include "h264/direct.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace edgecvar::h264 {

namespace {

// What the co-located picture holds for one 4x4 block: its vector, and the reference it names.
struct Colocated {
    bool intra = true;
    int list = 0;
    int ref = -1;
    MotionVector mv{};
};

int32_t clip3(int32_t low, int32_t high, int64_t value) {
    return int32_t(value < low ? low : value > high ? high : value);
}

// Blocks by 4x4 block of the macroblock; direct_8x8_inference takes the corner of the picture's side (8.4.1.2.1).
Colocated colocated_at(const SliceState& s, int x, int y) {
    Colocated found;
    const MotionStore* store = s.direct.colocated;
    if (!store) return found;
    const size_t blocks4 = size_t(s.stride4) * s.mb_height * 4, blocks8 = size_t(s.stride8) * s.mb_height * 2;
    const size_t at8 = size_t(s.mb_y * 2 + (y >> 1)) * s.stride8 + s.mb_x * 2 + (x >> 1);
    const size_t at4 = size_t(s.mb_y * 4 + y) * s.stride4 + s.mb_x * 4 + x;
    for (int list = 0; list < 2; ++list) {
        const int ref = store->ref[list * blocks8 + at8];
        if (ref < 0) continue;
        found.intra = false;
        found.list = list;
        found.ref = ref;
        found.mv = store->mv[list * blocks4 + at4];
        return found;
    }
    return found;
}

int corner(int block) { return block * 3; }  // 0 or 1 of an axis -> the outermost of 4 blocks

bool is_still(const Colocated& c) {
    return !c.intra && c.ref == 0 && std::abs(int(c.mv.x)) <= 1 && std::abs(int(c.mv.y)) <= 1;
}

// refIdx and mvpLX of the whole macroblock in one list (8.4.1.2.2): the least reference of its neighbours, and their
// vector. Written out because it is the hottest part of quiet B pictures: vectors are looked at only where they count.
int spatial_motion(SliceState& s, int list, MotionVector& vector) {
    const int8_t* refs = s.ref(list);
    const MotionVector* own = s.mv(list);
    const int c_block = s.top_right ? 2 : -1, c_column = s.top_right ? 4 : -1;
    const bool has_c = s.top_right || s.top_left;
    const int a = s.left ? refs[-1] : UNAVAILABLE, b = s.top ? refs[-s.stride8] : UNAVAILABLE;
    const int c = has_c ? refs[c_block - s.stride8] : UNAVAILABLE;
    const int least = int(std::min({unsigned(a), unsigned(b), unsigned(c)}));  // MinPositive: the others are negative
    if (least < 0) return -1;
    const int matches = (a == least) + (b == least) + (c == least);
    if (matches == 1) {
        vector = a == least ? own[-1] : b == least ? own[-s.stride4] : own[c_column - s.stride4];
    } else {
        constexpr MotionVector none{0, 0};
        const MotionVector mv_a = s.left ? own[-1] : none, mv_b = s.top ? own[-s.stride4] : none;
        const MotionVector mv_c = has_c ? own[c_column - s.stride4] : none;
        const bool alike = mv_a.x == mv_b.x && mv_a.y == mv_b.y;  // as in most quiet places
        vector = alike ? mv_a : median(mv_a, mv_b, mv_c);
    }
    return least;
}

void predict_spatial(SliceState& s, DirectMotion& direct) {
    int ref[2];
    MotionVector vector[2] = {};
    for (int list = 0; list < 2; ++list) ref[list] = spatial_motion(s, list, vector[list]);
    const bool none = ref[0] < 0 && ref[1] < 0;
    if (none) ref[0] = ref[1] = 0;
    for (int list = 0; list < 2; ++list) {
        std::memset(direct.ref[list], ref[list] & 0xFF, 4);
        direct.mv[list][0] = vector[list];
    }
    const auto zero = [](MotionVector v) { return v.x == 0 && v.y == 0; };
    const bool asks[2] = {ref[0] == 0 && !zero(vector[0]), ref[1] == 0 && !zero(vector[1])};
    direct.uniform = none || !(asks[0] || asks[1]) || !s.direct.colocated || s.direct.long_term;
    if (direct.uniform) return;
    const bool by_corner = s.sps.direct_8x8_inference;
    bool still[16];
    int stills = 0;
    for (int y = 0; y < 4; ++y) {
        for (int x = 0; x < 4; ++x) {
            const int i = y * 4 + x;
            if (by_corner && ((x | y) & 1)) {
                still[i] = still[(y & 2) * 4 + (x & 2)];
            } else {
                still[i] = is_still(by_corner ? colocated_at(s, corner(x >> 1), corner(y >> 1))
                                              : colocated_at(s, x, y));
            }
            stills += still[i];
        }
    }
    if (stills == 0 || stills == 16) {
        for (int list = 0; list < 2; ++list) {
            if (stills && asks[list]) direct.mv[list][0] = {};
        }
        direct.uniform = true;
        return;
    }
    for (int list = 0; list < 2; ++list) {
        for (int i = 0; i < 16; ++i) direct.mv[list][i] = still[i] && asks[list] ? MotionVector{} : vector[list];
    }
}

// refIdxL0 for the references of a slice of the co-located picture: the lowest that names the same picture, or -1
// (8.4.1.2.3).
const std::vector<int8_t>& reference_map(SliceState& s, uint16_t slice, int list) {
    std::vector<int8_t>& map = s.direct.map[list];
    if (s.direct.map_slice[list] == slice) return map;
    s.direct.map_slice[list] = slice;
    const auto& tags = s.direct.colocated->slices[slice].lists[list];
    map.assign(tags.size(), -1);
    for (size_t i = 0; i < tags.size(); ++i) {
        for (size_t j = s.references.lists[0].size(); j-- > 0;) {
            if (s.references.lists[0][j] == tags[i]) map[i] = int8_t(j);
        }
    }
    return map;
}

MotionVector scaled(const SliceState& s, int ref, MotionVector col) {
    const int factor = s.direct.scale[ref];
    return {int16_t((factor * col.x + 128) >> 8), int16_t((factor * col.y + 128) >> 8)};
}

void predict_temporal(SliceState& s, DirectMotion& direct) {
    direct.uniform = false;
    const MotionStore* store = s.direct.colocated;
    for (int block = 0; block < 4; ++block) {
        const int bx = block & 1, by = block >> 1;
        Colocated first = colocated_at(s, corner(bx), corner(by));
        int ref = 0;
        if (!first.intra) {
            const uint16_t slice = store->slice[s.mb];
            const std::vector<int8_t>& map = reference_map(s, slice, first.list);
            ref = size_t(first.ref) < map.size() ? map[first.ref] : -1;
            if (ref < 0) {
                direct.unknown |= uint8_t(1 << block);
                ref = 0;
            }
        }
        direct.ref[0][block] = int8_t(ref);
        direct.ref[1][block] = 0;
        for (int i = 0; i < 4; ++i) {
            const int x = bx * 2 + (i & 1), y = by * 2 + (i >> 1);
            const Colocated col = s.sps.direct_8x8_inference ? first : colocated_at(s, x, y);
            MotionVector zero{}, one{};
            if (!col.intra && s.direct.unscaled[ref]) {
                zero = col.mv;
            } else if (!col.intra) {
                zero = scaled(s, ref, col.mv);
                one = {int16_t(zero.x - col.mv.x), int16_t(zero.y - col.mv.y)};
            }
            direct.mv[0][y * 4 + x] = zero;
            direct.mv[1][y * 4 + x] = one;
        }
    }
}

}  // namespace

bool dist_scale_factor(int32_t poc, int32_t zero, int32_t one, int& factor) {
    const int64_t distance = int64_t(one) - zero;
    if (distance == 0) return false;
    const int32_t tb = clip3(-128, 127, int64_t(poc) - zero), td = clip3(-128, 127, distance);
    const int32_t tx = (16384 + std::abs(td / 2)) / td;
    factor = clip3(-1024, 1023, (tb * tx + 32) >> 6);
    return true;
}

void prepare_direct(SliceState& s, const MotionStore* colocated) {
    DirectState& direct = s.direct;
    const SliceReferences& references = s.references;
    const bool fits = colocated && colocated->mb_width == s.mb_width && colocated->mb_height == s.mb_height;
    direct.colocated = fits ? colocated : nullptr;
    direct.long_term = references.long_term[1][0];
    const int32_t one = references.lists[1][0]->poc;
    for (size_t i = 0; i < references.lists[0].size(); ++i) {
        int factor = 0;
        // A long-term picture of list 1 does not matter here: only that of list 0 does (8.4.1.2.3).
        const bool scales = dist_scale_factor(s.picture.poc, references.lists[0][i]->poc, one, factor);
        direct.unscaled[i] = references.long_term[0][i] || !scales;
        direct.scale[i] = int16_t(factor);
    }
}

void predict_direct(SliceState& s, DirectMotion& direct) {
    s.used_direct = true;
    if (s.header.direct_spatial) {
        predict_spatial(s, direct);
    } else {
        predict_temporal(s, direct);
    }
}

}  // namespace edgecvar::h264
