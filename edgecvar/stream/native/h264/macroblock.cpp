// Slice data: the macroblock layer over either entropy coding (ITU-T H.264, 7.3.4 and 7.3.5).
#include "h264/macroblock.h"

#include "h264/cabac_syntax.h"
#include "h264/cavlc_syntax.h"
#include "h264/intra_modes.h"
#include "h264/motion_parser.h"

namespace edgecvar::h264 {

namespace {

constexpr int I_PCM = 25;

template <class Syntax>
class SliceParser {
public:
    SliceParser(SliceState& s, const Payload& payload) : s_(s), syntax_(s, payload), motion_(s, syntax_) {}

    void parse();

private:
    uint32_t next_address(uint32_t address) const;
    void enter(uint32_t address);
    void done(uint8_t flags);
    void skipped();
    void macroblock();
    void pcm();
    void intra(int type);
    void intra_nxn(IntraModes& modes);
    void inter(int type);
    void residual(int cbp, bool intra_16x16, bool transform_8x8, int directions);
    void change_qp();
    // TransformBypassModeFlag: QP'Y is 0 in a lossless stream.
    bool bypassed() const { return s_.sps.transform_bypass && s_.qp == -6 * (s_.sps.bit_depth_luma - 8); }

    SliceState& s_;
    Syntax syntax_;
    MotionParser<Syntax> motion_;
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
    motion_.skipped();
    done(0);
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
    if (type == 0) intra_nxn(modes);
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
    if (s_.sps.transform_bypass) {
        if (type == 0) modes.keep(s_);
        if (bypassed()) {
            auto& all = s_.picture.coefficients->directions;
            directions = int(all.size());
            all.push_back(modes.directions(type, edges.chroma_mode));
        }
    }
    if (!chroma) cbp &= 15;
    residual(cbp, type != 0, edges.transform_8x8, directions);
}

// The size of the transform, and the prediction modes of its blocks.
template <class Syntax>
void SliceParser<Syntax>::intra_nxn(IntraModes& modes) {
    s_.edges->intra_nxn = true;
    const bool transform_8x8 = s_.pps.transform_8x8 && syntax_.transform_8x8_flag();
    s_.edges->transform_8x8 = transform_8x8;
    if (transform_8x8) flags_ |= MB_8X8DCT;
    const bool keeps_modes = s_.sps.transform_bypass;
    if (keeps_modes) modes.load(s_);
    for (int block = 0; block < 16; block += transform_8x8 ? 4 : 1) {
        const int mode = syntax_.intra_mode();
        if (keeps_modes) modes.set(block, transform_8x8, mode);
    }
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
    const bool small = motion_.parse(type);
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
void SliceParser<Syntax>::residual(int cbp, bool intra_16x16, bool transform_8x8, int directions) {
    CodedMacroblock coded;
    coded.mb = s_.mb;
    coded.first = uint32_t(s_.picture.levels->size());
    coded.qp = int16_t(s_.qp);
    coded.directions = int16_t(directions);
    if (bypassed()) flags_ |= MB_BYPASS;

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

}  // namespace edgecvar::h264
