// Slice data: the macroblock layer over either entropy coding (ITU-T H.264, 7.3.4 and 7.3.5).
#include "macroblock.h"

#include "cabac_syntax.h"
#include "cavlc_syntax.h"
#include "direct.h"
#include "intra_modes.h"
#include "motion_prediction.h"
#include "scan_tables.h"

namespace edgecvar {

namespace {

enum Usage { LIST_0 = 1, LIST_1 = 2, BOTH = 3 };
enum Shape { WHOLE, ROWS, COLUMNS };  // of a partition: 16x16, 16x8, 8x16, and so within 8x8

constexpr int P_8X8 = 3, B_DIRECT = 0, B_8X8 = 22, I_PCM = 25;

// Table 7-14, B_L0_L0_16x8 on, in pairs of 16x8 and 8x16: the lists that both partitions use.
constexpr uint8_t B_PARTS[9][2] = {{LIST_0, LIST_0}, {LIST_1, LIST_1}, {LIST_0, LIST_1},
                                   {LIST_1, LIST_0}, {LIST_0, BOTH},   {LIST_1, BOTH},
                                   {BOTH, LIST_0},   {BOTH, LIST_1},   {BOTH, BOTH}};

struct SubType {
    uint8_t usage;          // 0: direct
    uint8_t width, height;  // of its partitions, in 4x4 blocks
};
// Table 7-17
constexpr SubType P_SUB[4] = {{LIST_0, 2, 2}, {LIST_0, 2, 1}, {LIST_0, 1, 2}, {LIST_0, 1, 1}};
// Table 7-18
constexpr SubType B_SUB[13] = {{0, 1, 1},      {LIST_0, 2, 2}, {LIST_1, 2, 2}, {BOTH, 2, 2}, {LIST_0, 2, 1},
                               {LIST_0, 1, 2}, {LIST_1, 2, 1}, {LIST_1, 1, 2}, {BOTH, 2, 1}, {BOTH, 1, 2},
                               {LIST_0, 1, 1}, {LIST_1, 1, 1}, {BOTH, 1, 1}};

MotionVector operator+(MotionVector a, MotionVector b) { return {int16_t(a.x + b.x), int16_t(a.y + b.y)}; }

template <class Syntax>
class SliceParser {
public:
    SliceParser(SliceState& s, const Payload& payload) : s_(s), syntax_(s, payload) {}

    void parse();

private:
    uint32_t next_address(uint32_t address) const;
    void enter(uint32_t address);
    void done(uint8_t flags);
    void skipped();
    void macroblock();
    void pcm();
    void intra(int type);
    void inter(int type);
    void direct_whole();
    bool sub_macroblocks();
    void put_direct(MotionCache& cache, int list, int block, const DirectMotion& direct);
    void sub_partitions(MotionCache& cache, int list, int block, const SubType& type, int ref_idx);
    void whole(int usage);
    void halves(Shape shape, const uint8_t (&usage)[2]);
    void store_direct(const DirectMotion& direct);
    int reference(int list, int block);
    void residual(int cbp, bool intra_16x16, bool transform_8x8, int directions);
    void change_qp();

    SliceState& s_;
    Syntax syntax_;
    uint8_t flags_ = 0;  // of the macroblock
};

template <class Syntax>
uint32_t SliceParser<Syntax>::next_address(uint32_t address) const {
    if (!s_.groups) return address + 1;
    const std::vector<uint8_t>& groups = *s_.groups;
    const uint8_t group = groups[address];
    do {
        ++address;
    } while (address < groups.size() && groups[address] != group);
    return address;
}

template <class Syntax>
void SliceParser<Syntax>::enter(uint32_t address) {
    if (s_.motion.slice[address] != NO_SLICE) damaged("macroblock sent twice");
    s_.enter(address);
    std::memset(static_cast<void*>(s_.edges), 0, sizeof *s_.edges);
    if (s_.sps.transform_bypass) keep_no_modes(s_);
    flags_ = 0;
}

// Marks the macroblock as read: only then do others take it for a neighbour, and is it not concealed.
template <class Syntax>
void SliceParser<Syntax>::done(uint8_t flags) {
    if (syntax_.overrun()) damaged("slice data breaks off");
    if (s_.list_count < 2 && s_.motion.two_lists) store_16x16(s_, 1, -1, {});  // a P or I slice beside B slices
    s_.motion.flags[s_.mb] = flags;
    s_.motion.slice[s_.mb] = s_.index;
}

template <class Syntax>
void SliceParser<Syntax>::parse() {
    const uint32_t count = uint32_t(s_.mb_width * s_.mb_height);
    const bool inter = s_.list_count > 0;
    uint32_t address = s_.header.first_mb;
    if constexpr (Syntax::RUNS) {
        for (;;) {
            if (inter) {
                for (uint32_t run = syntax_.skip_run(count - address); run > 0; --run) {
                    if (address >= count) damaged("mb_skip_run beyond the slice group");
                    enter(address);
                    skipped();
                    address = next_address(address);
                }
            }
            if (!syntax_.more_data()) return;
            if (address >= count) damaged("more macroblocks than the picture has");
            enter(address);
            macroblock();
            address = next_address(address);
            if (!syntax_.more_data()) return;
        }
    } else {
        for (;;) {
            if (address >= count) damaged("more macroblocks than the picture has");
            enter(address);
            if (inter && syntax_.skip_flag()) {
                skipped();
            } else {
                macroblock();
            }
            if (syntax_.end_of_slice()) return;
            address = next_address(address);
        }
    }
}

template <class Syntax>
void SliceParser<Syntax>::skipped() {
    s_.edges->skip = true;
    s_.last_qp_delta = 0;
    if (s_.list_count == 1) {
        store_16x16(s_, 0, 0, predict_p_skip(s_));
    } else {
        direct_whole();
    }
    done(0);
}

template <class Syntax>
void SliceParser<Syntax>::direct_whole() {
    s_.edges->direct = true;
    DirectMotion direct;
    predict_direct(s_, direct);
    store_direct(direct);
}

template <class Syntax>
void SliceParser<Syntax>::store_direct(const DirectMotion& direct) {
    if (direct.unknown) s_.picture.exact = false;
    for (int list = 0; list < 2; ++list) {
        if (direct.uniform) {
            store_16x16(s_, list, direct.ref[list][0], direct.mv[list][0]);
            continue;
        }
        MotionVector* own = s_.mv(list);
        int8_t* refs = s_.ref(list);
        for (int row = 0; row < 4; ++row) {
            std::memcpy(own + row * s_.stride4, direct.mv[list] + row * 4, 4 * sizeof(MotionVector));
        }
        for (int block = 0; block < 4; ++block) {
            const int ref = direct.ref[list][block];
            refs[(block >> 1) * s_.stride8 + (block & 1)] = int8_t(ref);
            if (ref >= 0) s_.used_references[list] |= 1u << ref;
        }
    }
}

template <class Syntax>
void SliceParser<Syntax>::macroblock() {
    const MacroblockType type = syntax_.mb_type();
    s_.picture.levels->prepare();
    if (type.intra) {
        for (int list = 0; list < (s_.motion.two_lists ? 2 : 1); ++list) store_16x16(s_, list, -1, {});
        if (type.value == I_PCM) {
            pcm();
        } else {
            intra(type.value);
        }
    } else {
        inter(type.value);
    }
    done(flags_);
}

template <class Syntax>
void SliceParser<Syntax>::pcm() {
    const int luma = 256 * s_.sps.bit_depth_luma;
    const int chroma = s_.sps.chroma_format_idc ? 128 * s_.sps.bit_depth_chroma : 0;
    syntax_.pcm(size_t(luma + chroma));
    MacroblockEdges& edges = *s_.edges;
    edges.intra = true;
    std::memset(edges.coefficients_right, 16, sizeof edges.coefficients_right);
    std::memset(edges.coefficients_bottom, 16, sizeof edges.coefficients_bottom);
    edges.cbp = 0x2F;
    edges.dc_flags = 7;
    s_.last_qp_delta = 0;
    flags_ = MB_INTRA;
}

template <class Syntax>
void SliceParser<Syntax>::intra(int type) {
    MacroblockEdges& edges = *s_.edges;
    edges.intra = true;
    flags_ = MB_INTRA;
    IntraModes modes;
    const bool keeps_modes = s_.sps.transform_bypass;
    if (type == 0) {
        edges.intra_nxn = true;
        const bool transform_8x8 = s_.pps.transform_8x8 && syntax_.transform_8x8_flag();
        edges.transform_8x8 = transform_8x8;
        if (transform_8x8) flags_ |= MB_8X8DCT;
        if (keeps_modes) modes.load(s_);
        for (int block = 0; block < 16; block += transform_8x8 ? 4 : 1) {
            const int mode = syntax_.intra_mode();
            if (keeps_modes) modes.set(block, transform_8x8, mode);
        }
    }
    const bool chroma = s_.sps.chroma_format_idc != 0;
    edges.chroma_mode = uint8_t(chroma ? syntax_.chroma_mode() : 0);
    int cbp;
    if (type == 0) {
        cbp = syntax_.coded_block_pattern(true);
    } else {
        cbp = (type >= 13 ? 15 : 0) | ((type - 1) / 4 % 3) << 4;
    }
    edges.cbp = uint8_t(cbp);
    if (cbp != 0 || type != 0) {
        change_qp();
    } else {
        s_.last_qp_delta = 0;
    }
    int directions = -1;
    if (keeps_modes) {
        if (type == 0) modes.keep(s_);
        if (s_.qp == -6 * (s_.sps.bit_depth_luma - 8)) {
            auto& all = s_.picture.coefficients->directions;
            directions = int(all.size());
            all.push_back(modes.directions(type, edges.chroma_mode));
        }
    }
    if (!chroma) cbp &= 15;
    residual(cbp, type != 0, edges.transform_8x8, directions);
}

template <class Syntax>
void SliceParser<Syntax>::change_qp() {
    const int offset = 6 * (s_.sps.bit_depth_luma - 8);
    const int delta = syntax_.qp_delta();
    if (delta < -(26 + offset / 2) || delta > 25 + offset / 2) damaged("mb_qp_delta out of range");
    s_.last_qp_delta = delta;
    s_.qp = (s_.qp + delta + 52 + 2 * offset) % (52 + offset) - offset;
}

template <class Syntax>
void SliceParser<Syntax>::inter(int type) {
    const bool b_slice = s_.list_count == 2;
    bool small = false;  // a sub-macroblock partition smaller than 8x8
    if (b_slice && type == B_DIRECT) {
        direct_whole();
        small = !s_.sps.direct_8x8_inference;
    } else {
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
    }
    const int cbp = syntax_.coded_block_pattern(false);
    s_.edges->cbp = uint8_t(cbp);
    if (cbp == 0) {
        s_.last_qp_delta = 0;
        return;
    }
    const bool transform_8x8 = (cbp & 15) && s_.pps.transform_8x8 && !small && syntax_.transform_8x8_flag();
    s_.edges->transform_8x8 = transform_8x8;
    if (transform_8x8) flags_ |= MB_8X8DCT;
    change_qp();
    residual(cbp, false, transform_8x8, -1);
}

template <class Syntax>
int SliceParser<Syntax>::reference(int list, int block) {
    const int count = s_.header.num_ref_idx[list];
    return count > 1 ? syntax_.ref_idx(list, block, count) : 0;
}

template <class Syntax>
void SliceParser<Syntax>::whole(int usage) {
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
void SliceParser<Syntax>::halves(Shape shape, const uint8_t (&usage)[2]) {
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
bool SliceParser<Syntax>::sub_macroblocks() {
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
                put_direct(cache, list, block, direct);
            } else {
                sub_partitions(cache, list, block, sub[block], ref[list][block]);
            }
        }
    }
    cache.store(s_);
    return small;
}

template <class Syntax>
void SliceParser<Syntax>::put_direct(MotionCache& cache, int list, int block, const DirectMotion& direct) {
    if (direct.unknown >> block & 1) s_.picture.exact = false;
    for (int i = 0; i < 4; ++i) {
        const int x = (block & 1) * 2 + (i & 1), y = (block >> 1) * 2 + (i >> 1);
        cache.set(list, x, y, 1, 1, direct.ref[list][direct.uniform ? 0 : block],
                  direct.mv[list][direct.uniform ? 0 : y * 4 + x]);
    }
}

template <class Syntax>
void SliceParser<Syntax>::sub_partitions(MotionCache& cache, int list, int block, const SubType& type, int ref_idx) {
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
void SliceParser<Syntax>::residual(int cbp, bool intra_16x16, bool transform_8x8, int directions) {
    CodedMacroblock coded;
    coded.mb = s_.mb;
    coded.first = uint32_t(s_.picture.levels->size());
    coded.qp = int16_t(s_.qp);
    coded.directions = int16_t(directions);
    if (s_.sps.transform_bypass && s_.qp == -6 * (s_.sps.bit_depth_luma - 8)) flags_ |= MB_BYPASS;

    CoefficientCounts counts;
    s_.load(counts, Syntax::absent(s_.edges->intra));
    if (intra_16x16) syntax_.luma_dc(counts);
    for (int block = 0; block < 16; block += 4) {
        if (!(cbp >> (block >> 2) & 1)) continue;
        if (transform_8x8) {
            syntax_.luma_8x8(counts, block);
        } else {
            for (int i = 0; i < 4; ++i) syntax_.luma_4x4(counts, block + i, intra_16x16);
        }
    }
    if (cbp >> 4) {
        for (int plane = 0; plane < 2; ++plane) syntax_.chroma_dc(plane);
    }
    if (cbp >> 4 & 2) {
        for (int plane = 0; plane < 2; ++plane) {
            for (int block = 0; block < 4; ++block) syntax_.chroma_ac(counts, plane, block);
        }
    }
    s_.keep(counts);
    coded.end = uint32_t(s_.picture.levels->size());
    if (syntax_.overrun()) damaged("slice data breaks off");
    if (coded.end > coded.first) s_.picture.coefficients->macroblocks.push_back(coded);
}

}  // namespace

void parse_slice(SliceState& s, const Payload& payload) {
    if (s.pps.cabac) {
        SliceParser<CabacSyntax>(s, payload).parse();
    } else {
        SliceParser<CavlcSyntax>(s, payload).parse();
    }
}

}  // namespace edgecvar
