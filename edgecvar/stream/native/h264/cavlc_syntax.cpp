// Syntax elements of macroblocks in CAVLC and Exp-Golomb codes (ITU-T H.264, 7.3.4, 7.3.5, 9.1, 9.2).
#include "h264/cavlc_syntax.h"

#include "h264/cavlc_tables.h"
#include "h264/scan_tables.h"

namespace edgecvar::h264 {

CavlcSyntax::CavlcSyntax(SliceState& state, const Payload& payload) : s_(state), bits_(payload) {
    bits_.skip(unsigned(state.header.data_position));
}

uint32_t CavlcSyntax::skip_run(uint32_t left) {
    const uint32_t run = bits_.ue();
    if (run > left) damaged("mb_skip_run beyond the picture");
    return run;
}

MacroblockType CavlcSyntax::mb_type() {
    const uint32_t code = bits_.ue();
    const uint32_t inter = s_.header.type == SliceType::P ? 5 : s_.header.type == SliceType::B ? 23 : 0;
    if (code >= inter + 26) damaged("mb_type out of range");
    if (code >= inter) return {true, int(code - inter)};
    refs_zero_ = s_.header.type == SliceType::P && code == 4;
    return {false, refs_zero_ ? 3 : int(code)};
}

int CavlcSyntax::sub_mb_type() {
    const uint32_t type = bits_.ue();
    if (type > (s_.header.type == SliceType::P ? 3u : 12u)) damaged("sub_mb_type out of range");
    return int(type);
}

int CavlcSyntax::chroma_mode() {
    const uint32_t mode = bits_.ue();
    if (mode > 3) damaged("intra_chroma_pred_mode out of range");
    return int(mode);
}

int CavlcSyntax::coded_block_pattern(bool intra) {
    const uint32_t code = bits_.ue();
    const bool luma_only = s_.sps.chroma_format_idc == 0;
    if (code >= (luma_only ? 16u : 48u)) damaged("coded_block_pattern out of range");
    return luma_only ? CODED_BLOCK_PATTERN_LUMA[code][!intra] : CODED_BLOCK_PATTERN[code][!intra];
}

void CavlcSyntax::pcm(size_t bits) {
    const size_t start = (bits_.position() + 7) & ~size_t(7);
    if (start + bits > bits_.end()) damaged("I_PCM samples break off");
    bits_.skip(unsigned(start - bits_.position() + bits));
}

int CavlcSyntax::ref_idx(int, int, int count) {
    if (count == 2) return !bits_.flag();
    const uint32_t ref = bits_.ue();
    if (ref >= uint32_t(count)) damaged("ref_idx beyond the list");
    return int(ref);
}

MotionVector CavlcSyntax::mvd(int, int, int, int, int) {
    const int dx = bits_.se();
    return {int16_t(dx), int16_t(bits_.se())};
}

namespace {

// level_prefix and level_suffix (9.2.2.1); `more` is added to levelCode for the first level after fewer than three
// trailing ones.
__attribute__((always_inline)) inline int read_level(BitWindow& window, int more, int& suffix_length) {
    window.need(48);
    const int prefix = int(window.zeros());
    if (prefix > 25) damaged("level_prefix out of range");
    window.take(unsigned(prefix + 1));
    int code = (prefix < 15 ? prefix : 15) << suffix_length;
    const int size = prefix >= 15 ? prefix - 3 : prefix == 14 && suffix_length == 0 ? 4 : suffix_length;
    if (size > 0) code += int(window.bits(unsigned(size)));
    code += more;
    if (prefix >= 15 && suffix_length == 0) code += 15;
    if (prefix >= 16) code += (1 << (prefix - 3)) - 4096;
    const int value = code & 1 ? -((code + 1) >> 1) : (code + 2) >> 1;
    if (suffix_length == 0) suffix_length = 1;
    if ((value < 0 ? -value : value) > (3 << (suffix_length - 1)) && suffix_length < 6) ++suffix_length;
    return value;
}

}  // namespace

int CavlcSyntax::levels(int nc_class, int maximum, int block, int first, int scale) {
    BitWindow window(bits_);
    const CoeffToken token = coeff_token(nc_class, window.peek(16));
    if (token.length == 0 || token.total > maximum) damaged("coeff_token invalid");
    window.take(token.length);
    const int total = token.total;
    if (total == 0) {
        window.finish();
        return 0;
    }

    int values[16];
    for (int i = 0; i < token.ones; ++i) values[i] = 1 - 2 * int(window.bits(1));
    int suffix_length = total > 10 && token.ones < 3 ? 1 : 0;
    for (int i = token.ones; i < total; ++i) {
        values[i] = read_level(window, i == token.ones && token.ones < 3 ? 2 : 0, suffix_length);
    }

    window.need(9 + 11);
    int zeros = 0;
    if (total < maximum) {
        const RunCode code = maximum == 4 ? total_zeros_chroma(total, window.peek(3))
                                          : total_zeros(total, window.peek(9));
        if (code.length == 0 || total + code.value > maximum) damaged("total_zeros invalid");
        window.take(code.length);
        zeros = code.value;
    }
    Coefficient* out = s_.picture.levels->cursor();
    int position = zeros + total - 1;
    int i = 0;
    for (; zeros > 0 && i + 1 < total; ++i) {
        *out++ = coefficient(values[i], block, first + scale * position);
        window.need(11);
        const RunCode code = run_before(zeros, window.peek(11));
        if (code.length == 0 || code.value > zeros) damaged("run_before invalid");
        window.take(code.length);
        zeros -= code.value;
        position -= 1 + code.value;
    }
    for (; i < total; ++i) *out++ = coefficient(values[i], block, first + scale * position--);
    s_.picture.levels->advance(out);
    window.finish();
    return total;
}

int CavlcSyntax::luma_dc(CoefficientCounts& counts) {
    return levels(class_of(counts.luma_at(0, 0), CoefficientCounts::STRIDE), 16, BLOCK_LUMA_DC, 0);
}

int CavlcSyntax::luma_4x4(CoefficientCounts& counts, int block, bool ac) {
    uint8_t* count = counts.luma_at(BLOCK_X[block], BLOCK_Y[block]);
    const int nc_class = class_of(count, CoefficientCounts::STRIDE);
    const int total = ac ? levels(nc_class, 15, block, 1) : levels(nc_class, 16, block, 0);
    *count = uint8_t(total);
    return total;
}

// Four interleaved lists of 16 (7.3.5.3.2).
void CavlcSyntax::luma_8x8(CoefficientCounts& counts, int block) {
    for (int i = 0; i < 4; ++i) {
        uint8_t* count = counts.luma_at(BLOCK_X[block + i], BLOCK_Y[block + i]);
        *count = uint8_t(levels(class_of(count, CoefficientCounts::STRIDE), 16, block, i, 4));
    }
}

int CavlcSyntax::chroma_dc(int plane) { return levels(4, 4, BLOCK_CB_DC + plane, 0); }

int CavlcSyntax::chroma_ac(CoefficientCounts& counts, int plane, int block) {
    uint8_t* count = counts.chroma_at(plane, block & 1, block >> 1);
    const int nc_class = class_of(count, CoefficientCounts::CHROMA_STRIDE);
    const int total = levels(nc_class, 15, (plane ? BLOCK_CR_AC : BLOCK_CB_AC) + block, 1);
    *count = uint8_t(total);
    return total;
}

}  // namespace edgecvar::h264
