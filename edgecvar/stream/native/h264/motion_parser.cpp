// What mb_pred and sub_mb_pred say of motion, over either entropy coding (ITU-T H.264, 7.3.5.1 and 7.3.5.2).
#include "h264/motion_parser.h"

#include "h264/cabac_syntax.h"
#include "h264/cavlc_syntax.h"

namespace edgecvar::h264 {

// A partition type of 8x8 blocks.
struct SubType {
    uint8_t usage;          // 0: direct
    uint8_t width, height;  // of its partitions, in 4x4 blocks
};

namespace {

enum Usage { LIST_0 = 1, LIST_1 = 2, BOTH = 3 };

constexpr int P_8X8 = 3, B_DIRECT = 0, B_8X8 = 22;

// Table 7-14, B_L0_L0_16x8 on, in pairs of 16x8 and 8x16: the lists that both partitions use.
constexpr uint8_t B_PARTS[9][2] = {{LIST_0, LIST_0}, {LIST_1, LIST_1}, {LIST_0, LIST_1},
                                   {LIST_1, LIST_0}, {LIST_0, BOTH},   {LIST_1, BOTH},
                                   {BOTH, LIST_0},   {BOTH, LIST_1},   {BOTH, BOTH}};

// Table 7-17
constexpr SubType P_SUB[4] = {{LIST_0, 2, 2}, {LIST_0, 2, 1}, {LIST_0, 1, 2}, {LIST_0, 1, 1}};
// Table 7-18
constexpr SubType B_SUB[13] = {{0, 1, 1},      {LIST_0, 2, 2}, {LIST_1, 2, 2}, {BOTH, 2, 2}, {LIST_0, 2, 1},
                               {LIST_0, 1, 2}, {LIST_1, 2, 1}, {LIST_1, 1, 2}, {BOTH, 2, 1}, {BOTH, 1, 2},
                               {LIST_0, 1, 1}, {LIST_1, 1, 1}, {BOTH, 1, 1}};

MotionVector operator+(MotionVector a, MotionVector b) { return {int16_t(a.x + b.x), int16_t(a.y + b.y)}; }

void store_direct(SliceState& s, const DirectMotion& direct) {
    if (direct.unknown) s.picture.exact = false;
    for (int list = 0; list < 2; ++list) {
        if (direct.uniform) {
            store_16x16(s, list, direct.ref[list][0], direct.mv[list][0]);
            continue;
        }
        MotionVector* own = s.mv(list);
        int8_t* refs = s.ref(list);
        for (int row = 0; row < 4; ++row) {
            std::memcpy(own + row * s.stride4, direct.mv[list] + row * 4, 4 * sizeof(MotionVector));
        }
        for (int block = 0; block < 4; ++block) {
            const int ref = direct.ref[list][block];
            refs[(block >> 1) * s.stride8 + (block & 1)] = int8_t(ref);
            if (ref >= 0) s.used_references[list] |= 1u << ref;
        }
    }
}

void put_direct(SliceState& s, MotionCache& cache, int list, int block, const DirectMotion& direct) {
    if (direct.unknown >> block & 1) s.picture.exact = false;
    for (int i = 0; i < 4; ++i) {
        const int x = (block & 1) * 2 + (i & 1), y = (block >> 1) * 2 + (i >> 1);
        cache.set(list, x, y, 1, 1, direct.ref[list][direct.uniform ? 0 : block],
                  direct.mv[list][direct.uniform ? 0 : y * 4 + x]);
    }
}

}  // namespace

template <class Syntax>
void MotionParser<Syntax>::skipped() {
    if (s_.list_count == 1) {
        store_16x16(s_, 0, 0, predict_p_skip(s_));
    } else {
        direct();
    }
}

template <class Syntax>
bool MotionParser<Syntax>::parse(int type) {
    const bool b_slice = s_.list_count == 2;
    if (b_slice && type == B_DIRECT) {
        direct();
        return !s_.sps.direct_8x8_inference;
    }
    bool small = false;
    syntax_.start_motion();
    if (type == (b_slice ? B_8X8 : P_8X8)) {
        small = sub_macroblocks();
    } else if (b_slice && type > 3) {
        halves(type & 1 ? COLUMNS : ROWS, B_PARTS[(type - 4) >> 1]);
    } else if (!b_slice && type > 0) {
        halves(type == 1 ? ROWS : COLUMNS, {LIST_0, LIST_0});
    } else {
        whole(b_slice ? type : LIST_0);
    }
    syntax_.end_motion();
    return small;
}

template <class Syntax>
void MotionParser<Syntax>::direct() {
    s_.edges->direct = true;
    DirectMotion motion;
    predict_direct(s_, motion);
    store_direct(s_, motion);
}

template <class Syntax>
void MotionParser<Syntax>::whole(int usage) {
    int ref[2] = {-1, -1};
    for (int list = 0; list < s_.list_count; ++list) {
        if (!(usage >> list & 1)) continue;
        ref[list] = reference(list, 0);
        for (int block = 0; block < 4; ++block) syntax_.note_ref(list, block, ref[list]);
    }
    for (int list = 0; list < s_.list_count; ++list) {
        MotionVector vector{};
        if (ref[list] >= 0) {
            const MotionVector predicted = MacroblockNeighbours(s_, list).median_for(ref[list]);
            vector = predicted + syntax_.mvd(list, 0, 0, 4, 4);
        }
        store_16x16(s_, list, ref[list], vector);
    }
}

template <class Syntax>
void MotionParser<Syntax>::halves(Shape shape, const uint8_t (&usage)[2]) {
    int ref[2][2] = {{-1, -1}, {-1, -1}};
    for (int list = 0; list < s_.list_count; ++list) {
        for (int part = 0; part < 2; ++part) {
            if (!(usage[part] >> list & 1)) continue;
            const int first = shape == ROWS ? part * 2 : part;
            ref[list][part] = reference(list, first);
            syntax_.note_ref(list, first, ref[list][part]);
            syntax_.note_ref(list, first + (shape == ROWS ? 1 : 2), ref[list][part]);
        }
    }
    MotionCache cache;
    cache.load(s_);
    for (int list = 0; list < s_.list_count; ++list) {
        for (int part = 0; part < 2; ++part) {
            const int x = shape == ROWS ? 0 : part * 2, y = shape == ROWS ? part * 2 : 0;
            const int width = shape == ROWS ? 4 : 2, height = shape == ROWS ? 2 : 4;
            const int index = ref[list][part];
            MotionVector vector{};
            if (index >= 0) {
                vector = shape == ROWS ? cache.at_16x8(list, part, index) : cache.at_8x16(list, part, index);
                vector = vector + syntax_.mvd(list, x, y, width, height);
            }
            cache.set(list, x, y, width, height, index, vector);
        }
    }
    cache.store(s_);
}

// The four 8x8 blocks of P_8x8 and B_8x8; returns whether any is split further.
template <class Syntax>
bool MotionParser<Syntax>::sub_macroblocks() {
    const bool b_slice = s_.list_count == 2;
    SubType sub[4];
    bool small = false, any_direct = false;
    for (SubType& type : sub) {
        const int value = syntax_.sub_mb_type();
        type = b_slice ? B_SUB[value] : P_SUB[value];
        any_direct |= type.usage == 0;
        small |= type.usage == 0 ? !s_.sps.direct_8x8_inference : type.width * type.height < 4;
    }
    DirectMotion direct;
    if (any_direct) predict_direct(s_, direct);
    bool refs_zero = false;
    if constexpr (Syntax::RUNS) refs_zero = syntax_.refs_zero();
    int ref[2][4];
    for (int list = 0; list < s_.list_count; ++list) {
        for (int block = 0; block < 4; ++block) {
            ref[list][block] = -1;
            if (!(sub[block].usage >> list & 1)) continue;
            ref[list][block] = refs_zero ? 0 : reference(list, block);
            syntax_.note_ref(list, block, ref[list][block]);
        }
    }
    MotionCache cache;
    cache.load(s_);
    for (int list = 0; list < s_.list_count; ++list) {
        for (int block = 0; block < 4; ++block) {
            if (sub[block].usage == 0) {
                put_direct(s_, cache, list, block, direct);
            } else {
                sub_partitions(cache, list, block, sub[block], ref[list][block]);
            }
        }
    }
    cache.store(s_);
    return small;
}

template <class Syntax>
void MotionParser<Syntax>::sub_partitions(MotionCache& cache, int list, int block, const SubType& type, int ref_idx) {
    const int left = (block & 1) * 2, upper = (block >> 1) * 2;
    cache.set(list, left, upper, 2, 2, ref_idx, {});
    if (ref_idx < 0) return;
    for (int y = upper; y < upper + 2; y += type.height) {
        for (int x = left; x < left + 2; x += type.width) {
            const MotionVector predicted = cache.median_at(list, x, y, type.width, ref_idx);
            const MotionVector vector = predicted + syntax_.mvd(list, x, y, type.width, type.height);
            cache.set(list, x, y, type.width, type.height, ref_idx, vector);
        }
    }
}

template <class Syntax>
int MotionParser<Syntax>::reference(int list, int block) {
    const int count = s_.header.num_ref_idx[list];
    return count > 1 ? syntax_.ref_idx(list, block, count) : 0;
}

template class MotionParser<CabacSyntax>;
template class MotionParser<CavlcSyntax>;

}  // namespace edgecvar::h264
