// Residual blocks in CABAC (ITU-T H.264, 7.3.5.3.3 and 9.3.3.1.3).
#include "h264/cabac_syntax.h"
#include "h264/scan_tables.h"

namespace edgecvar::h264 {

namespace {

// By ctxBlockCat: significant_coeff_flag, last_significant_coeff_flag (both of frame pictures) and
// coeff_abs_level_minus1 (Tables 9-34 and 9-40), and the most coefficients a block has.
constexpr int SIGNIFICANT[6] = {105, 105 + 15, 105 + 29, 105 + 44, 105 + 47, 402};
constexpr int LAST[6] = {166, 166 + 15, 166 + 29, 166 + 44, 166 + 47, 417};
constexpr int ABS_LEVEL[6] = {227, 227 + 10, 227 + 20, 227 + 30, 227 + 39, 426};
constexpr int COUNT[6] = {16, 15, 16, 4, 15, 64};
enum Category { LUMA_DC = 0, LUMA_AC = 1, LUMA_4X4 = 2, CHROMA_DC = 3, CHROMA_AC = 4, LUMA_8X8 = 5 };

int escaped_level(CabacEngine& engine) {
    int exponent = 0, value = 15;
    while (engine.bypass()) {
        value += 1 << exponent;
        if (++exponent > 17) damaged("coefficient level out of range");
    }
    while (exponent--) value += engine.bypass() << exponent;
    return value;
}

}  // namespace

template <int category>
int CabacSyntax::levels(int block, int first) {
    constexpr int count = COUNT[category];
    CabacEngine engine = engine_;
    ContextState* significant = states_ + SIGNIFICANT[category];
    ContextState* last = states_ + LAST[category];
    uint8_t positions[64];
    int found = 0, i = 0;
    for (; i < count - 1; ++i) {
        if (engine.decision(significant[category == LUMA_8X8 ? SIGNIFICANT_8X8[i] : i])) {
            positions[found++] = uint8_t(i);
            if (engine.decision(last[category == LUMA_8X8 ? LAST_8X8[i] : i])) break;
        }
    }
    if (i == count - 1) positions[found++] = uint8_t(i);

    ContextState* state = states_ + ABS_LEVEL[category];
    constexpr int most_greater = category == CHROMA_DC ? 3 : 4;
    int ones = 1, greater = 0;  // context of the first bin; coefficients above 1
    Coefficient* out = s_.picture.levels->cursor();
    for (int k = found; k-- > 0;) {
        int value = 1;
        if (engine.decision(state[greater ? 0 : ones])) {
            ContextState& context = state[5 + (greater < most_greater ? greater : most_greater)];
            ++greater;
            value = 2;
            while (value < 15 && engine.decision(context)) ++value;
            if (value >= 15) value = escaped_level(engine);
        } else if (ones < 4) {
            ++ones;
        }
        *out++ = coefficient(engine.signed_by_bypass(value), block, positions[k] + first);
    }
    s_.picture.levels->advance(out);
    engine_ = engine;
    return found;
}

int CabacSyntax::luma_dc(CoefficientCounts&) {
    const bool left = s_.left ? s_.a->dc_flags & 1 : true, top = s_.top ? s_.b->dc_flags & 1 : true;
    if (!block_flag(LUMA_DC, left, top)) return 0;
    s_.edges->dc_flags |= 1;
    return levels<LUMA_DC>(BLOCK_LUMA_DC, 0);
}

int CabacSyntax::luma_4x4(CoefficientCounts& counts, int block, bool ac) {
    uint8_t* count = counts.luma_at(BLOCK_X[block], BLOCK_Y[block]);
    const bool left = count[-1] != 0, top = count[-CoefficientCounts::STRIDE] != 0;
    if (!block_flag(ac ? LUMA_AC : LUMA_4X4, left, top)) return 0;
    *count = 1;
    return ac ? levels<LUMA_AC>(block, 1) : levels<LUMA_4X4>(block, 0);
}

void CabacSyntax::luma_8x8(CoefficientCounts& counts, int block) {
    levels<LUMA_8X8>(block, 0);
    uint8_t* count = counts.luma_at(BLOCK_X[block], BLOCK_Y[block]);
    // Without a flag of its own a block counts as coded.
    count[0] = count[1] = count[CoefficientCounts::STRIDE] = count[CoefficientCounts::STRIDE + 1] = 1;
}

int CabacSyntax::chroma_dc(int plane) {
    const int bit = 2 << plane;
    const bool absent_flag = s_.edges->intra;
    const bool left = s_.left ? (s_.a->dc_flags & bit) != 0 : absent_flag;
    const bool top = s_.top ? (s_.b->dc_flags & bit) != 0 : absent_flag;
    if (!block_flag(CHROMA_DC, left, top)) return 0;
    s_.edges->dc_flags |= uint8_t(bit);
    return levels<CHROMA_DC>(BLOCK_CB_DC + plane, 0);
}

int CabacSyntax::chroma_ac(CoefficientCounts& counts, int plane, int block) {
    uint8_t* count = counts.chroma_at(plane, block & 1, block >> 1);
    const bool left = count[-1] != 0, top = count[-CoefficientCounts::CHROMA_STRIDE] != 0;
    if (!block_flag(CHROMA_AC, left, top)) return 0;
    *count = 1;
    return levels<CHROMA_AC>((plane ? BLOCK_CR_AC : BLOCK_CB_AC) + block, 1);
}

}  // namespace edgecvar::h264
