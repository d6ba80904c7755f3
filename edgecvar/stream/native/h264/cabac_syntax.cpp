// Syntax elements of macroblocks in CABAC (ITU-T H.264, 9.3): motion and modes; residuals are in cabac_residual.cpp.
#include "h264/cabac_syntax.h"

#include <array>
#include <cstdlib>

#include "h264/motion_prediction.h"

namespace edgecvar::h264 {

namespace {

constexpr int ORIGIN = MotionCache::ORIGIN, STRIDE = MotionCache::STRIDE;
constexpr int MAX_EXPONENT = 24;  // of Exp-Golomb suffixes: no conforming value comes near

uint8_t stored(int component) {
    const int magnitude = std::abs(component);
    return uint8_t(magnitude < 127 ? magnitude : 127);
}

}  // namespace

CabacSyntax::CabacSyntax(SliceState& state, const Payload& payload) : s_(state) {
    const size_t start = (state.header.data_position + 7) / 8;
    if (start >= payload.size) damaged("slice without data");
    size_t size = payload.size;
    while (size > start && payload.bytes[size - 1] == 0) --size;  // cabac_zero_words
    end_ = payload.bytes.data() + size;
    engine_.start(payload.bytes.data() + start, end_);
    init_contexts(states_, state.header.type == SliceType::I, state.header.cabac_init_idc, state.header.qp);
}

bool CabacSyntax::skip_flag() {
    const int base = s_.header.type == SliceType::B ? 24 : 11;
    return engine_.decision(states_[base + (s_.left && !s_.a->skip) + (s_.top && !s_.b->skip)]);
}

bool CabacSyntax::end_of_slice() {
    if (!engine_.terminate()) return false;
    if (engine_.position() + 1 < end_) damaged("slice ends early");
    return true;
}

int CabacSyntax::intra_type(int base, bool intra_slice) {
    ContextState* state = states_ + base;
    if (intra_slice) {
        const int inc = (s_.left && !s_.a->intra_nxn) + (s_.top && !s_.b->intra_nxn);
        if (!engine_.decision(state[inc])) return 0;
        state += 2;
    } else if (!engine_.decision(state[0])) {
        return 0;
    }
    if (engine_.terminate()) return 25;
    int type = 1 + 12 * engine_.decision(state[1]);
    if (engine_.decision(state[2])) type += 4 + 4 * engine_.decision(state[2 + intra_slice]);
    type += 2 * engine_.decision(state[3 + intra_slice]);
    type += engine_.decision(state[3 + 2 * intra_slice]);
    return type;
}

MacroblockType CabacSyntax::mb_type() {
    const auto bin = [this](int context) { return engine_.decision(states_[context]); };
    if (s_.header.type == SliceType::I) return {true, intra_type(3, true)};
    if (s_.header.type == SliceType::P) {
        if (bin(14)) return {true, intra_type(17, false)};
        if (!bin(15)) return {false, 3 * bin(16)};
        return {false, 2 - bin(17)};
    }
    if (!bin(27 + (s_.left && !s_.a->direct) + (s_.top && !s_.b->direct))) return {false, 0};
    if (!bin(30)) return {false, 1 + bin(32)};
    int bits = bin(31) << 3;
    bits |= bin(32) << 2;
    bits |= bin(32) << 1;
    bits |= bin(32);
    if (bits < 8) return {false, bits + 3};
    if (bits == 13) return {true, intra_type(32, false)};
    if (bits == 14) return {false, 11};
    if (bits == 15) return {false, 22};
    bits = bits << 1 | bin(32);
    return {false, bits - 4};
}

int CabacSyntax::sub_mb_type() {
    const auto bin = [this](int context) { return engine_.decision(states_[context]); };
    if (s_.header.type == SliceType::P) {
        if (bin(21)) return 0;
        if (!bin(22)) return 1;
        return bin(23) ? 2 : 3;
    }
    if (!bin(36)) return 0;
    if (!bin(37)) return 1 + bin(39);
    int type = 3;
    if (bin(38)) {
        if (bin(39)) return 11 + bin(39);
        type += 4;
    }
    type += 2 * bin(39);
    return type + bin(39);
}

bool CabacSyntax::transform_8x8_flag() {
    return engine_.decision(states_[399 + (s_.left && s_.a->transform_8x8) + (s_.top && s_.b->transform_8x8)]);
}

int CabacSyntax::intra_mode() {
    if (engine_.decision(states_[68])) return -1;
    int mode = engine_.decision(states_[69]);
    mode |= engine_.decision(states_[69]) << 1;
    return mode | engine_.decision(states_[69]) << 2;
}

int CabacSyntax::chroma_mode() {
    const int inc = (s_.left && s_.a->chroma_mode != 0) + (s_.top && s_.b->chroma_mode != 0);
    if (!engine_.decision(states_[64 + inc])) return 0;
    if (!engine_.decision(states_[67])) return 1;
    return engine_.decision(states_[67]) ? 3 : 2;
}

int CabacSyntax::coded_block_pattern(bool) {
    const int a = s_.left ? s_.a->cbp : 0x0F, b = s_.top ? s_.b->cbp : 0x0F;
    const auto bin = [this](int context) { return engine_.decision(states_[context]); };
    int cbp = bin(73 + !(a & 2) + 2 * !(b & 4));
    cbp |= bin(73 + !(cbp & 1) + 2 * !(b & 8)) << 1;
    cbp |= bin(73 + !(a & 8) + 2 * !(cbp & 1)) << 2;
    cbp |= bin(73 + !(cbp & 4) + 2 * !(cbp & 2)) << 3;
    if (s_.sps.chroma_format_idc == 0) return cbp;
    if (!bin(77 + (a >> 4 != 0) + 2 * (b >> 4 != 0))) return cbp;
    return cbp | (1 + bin(81 + (a >> 4 == 2) + 2 * (b >> 4 == 2))) << 4;
}

int CabacSyntax::qp_delta() {
    int context = s_.last_qp_delta != 0, value = 0;
    while (engine_.decision(states_[60 + context])) {
        context = 2 + (context >> 1);
        if (++value > 2 * 52 + 24) damaged("mb_qp_delta out of range");
    }
    return value & 1 ? (value + 1) >> 1 : -(value >> 1);
}

void CabacSyntax::pcm(size_t bits) {
    const uint8_t* samples = engine_.position();
    if (size_t(end_ - samples) < bits / 8 || samples > end_) damaged("I_PCM samples break off");
    engine_.start(samples + bits / 8, end_);
}

void CabacSyntax::start_motion() {
    for (int list = 0; list < s_.list_count; ++list) {
        for (int i = 0; i < 4; ++i) {
            mvd_[list][ORIGIN - STRIDE + i] = s_.top ? s_.b->mvd_bottom[list][i] : 0;
            mvd_[list][ORIGIN + i * STRIDE - 1] = s_.left ? s_.a->mvd_right[list][i] : 0;
            ref_positive_[list][i] = false;
        }
        for (int row = 0; row < 4; ++row) std::memset(&mvd_[list][ORIGIN + row * STRIDE], 0, 4 * sizeof(uint16_t));
    }
}

int CabacSyntax::ref_idx(int list, int block, int count) {
    const bool left = block & 1 ? ref_positive_[list][block - 1]
                                : s_.left && (s_.a->ref_right[list] >> (block >> 1) & 1);
    const bool up = block & 2 ? ref_positive_[list][block - 2] : s_.top && (s_.b->ref_bottom[list] >> (block & 1) & 1);
    int context = left + 2 * up, ref = 0;
    while (engine_.decision(states_[54 + context])) {
        context = (context >> 2) + 4;
        if (++ref >= count) damaged("ref_idx beyond the list");
    }
    return ref;
}

int CabacSyntax::mvd_component(int base, int sum) {
    const int inc = sum < 3 ? 0 : sum > 32 ? 2 : 1;
    if (!engine_.decision(states_[base + inc])) return 0;
    int value = 1, context = 3;
    while (value < 9 && engine_.decision(states_[base + context])) {
        if (context < 6) ++context;
        ++value;
    }
    if (value >= 9) {
        int exponent = 3;
        while (engine_.bypass()) {
            value += 1 << exponent;
            if (++exponent > MAX_EXPONENT) damaged("mvd out of range");
        }
        while (exponent--) value += engine_.bypass() << exponent;
    }
    return engine_.signed_by_bypass(value);
}

MotionVector CabacSyntax::mvd(int list, int x, int y, int width, int height) {
    uint16_t* at = mvd_[list] + ORIGIN + y * STRIDE + x;
    const int a = at[-1], b = at[-STRIDE];
    const int dx = mvd_component(40, (a & 0xFF) + (b & 0xFF));
    const int dy = mvd_component(47, (a >> 8) + (b >> 8));
    const uint16_t kept = uint16_t(stored(dx) | stored(dy) << 8);
    for (int row = 0; row < height; ++row) {
        for (int column = 0; column < width; ++column) at[row * STRIDE + column] = kept;
    }
    return {int16_t(dx), int16_t(dy)};
}

void CabacSyntax::end_motion() {
    for (int list = 0; list < s_.list_count; ++list) {
        const uint16_t* own = mvd_[list] + ORIGIN;
        for (int i = 0; i < 4; ++i) {
            s_.edges->mvd_right[list][i] = own[i * STRIDE + 3];
            s_.edges->mvd_bottom[list][i] = own[3 * STRIDE + i];
        }
        s_.edges->ref_right[list] = uint8_t(ref_positive_[list][1] | ref_positive_[list][3] << 1);
        s_.edges->ref_bottom[list] = uint8_t(ref_positive_[list][2] | ref_positive_[list][3] << 1);
    }
}

}  // namespace edgecvar::h264
