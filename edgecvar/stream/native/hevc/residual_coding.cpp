// The levels of a transform block (ITU-T H.265, 7.3.8.11, 9.3.3.11 and 9.3.4.2.4 to 9.3.4.2.7).
#include <utility>

#include "hevc/scans.h"
#include "hevc/substream.h"

namespace edgecvar::hevc {

namespace {

// Decodes a block. All is inlined, so that the engine is in registers.
#define EDGECVAR_INLINE __attribute__((always_inline)) inline

class BlockDecoder {
public:
    BlockDecoder(const CabacEngine& engine, Contexts& contexts, int log2_size, bool chroma, int scan)
        : engine(engine), states_(contexts.states), log2_size_(log2_size), chroma_(chroma), scan_(scan) {}

    // Reads last_sig_coeff_x_prefix and what follows it, up to the last level.
    EDGECVAR_INLINE Level* levels(bool sign_hiding, Level* out);

    CabacEngine engine;

private:
    EDGECVAR_INLINE ScanPlace last_place();
    EDGECVAR_INLINE int last_prefix(ContextState* states);
    EDGECVAR_INLINE void significant(int first, int sub_block, int around, bool infer_dc);
    EDGECVAR_INLINE Level* values(int sub_block, uint32_t place, bool hide, Level* out);
    EDGECVAR_INLINE uint32_t remaining(int rice);

    ContextState* const states_;
    const int log2_size_;
    const bool chroma_;
    const int scan_;
    uint8_t places_[16];          // of the coefficients of a sub-block, last one first
    int count_ = 0;
    bool greater1_seen_ = false;  // lastGreater1Ctx of the sub-block before is 0
};

int BlockDecoder::last_prefix(ContextState* states) {
    const int most = 2 * log2_size_ - 1;
    const int shift = chroma_ ? log2_size_ - 2 : (log2_size_ + 1) >> 2;
    states += chroma_ ? 15 : 3 * (log2_size_ - 2) + ((log2_size_ - 1) >> 2);
    int prefix = 0;
    while (prefix < most && engine.decision(states[prefix >> shift])) ++prefix;
    return prefix;
}

ScanPlace BlockDecoder::last_place() {
    int x = last_prefix(states_ + LAST_SIG_COEFF_X_PREFIX);
    int y = last_prefix(states_ + LAST_SIG_COEFF_Y_PREFIX);
    if (x > 3) {
        const int bits = (x >> 1) - 1;
        x = ((2 + (x & 1)) << bits) + int(engine.bypass_bits(bits));
    }
    if (y > 3) {
        const int bits = (y >> 1) - 1;
        y = ((2 + (y & 1)) << bits) + int(engine.bypass_bits(bits));
    }
    if (scan_ == 2) std::swap(x, y);
    return {uint8_t(x), uint8_t(y)};
}

Level* BlockDecoder::levels(bool sign_hiding, Level* out) {
    const ScanPlace last = last_place();
    const ScanPlace* order = sub_block_scan(log2_size_, scan_);
    const int last_sub_block = sub_block_place(log2_size_, scan_, last.x >> 2, last.y >> 2);
    uint8_t coded[9][9] = {};  // coded_sub_block_flag; the outermost stay 0
    int first = PLACE_4X4[size_t(scan_)][size_t((last.y & 3) * 4 + (last.x & 3))];
    places_[0] = uint8_t(first--);
    count_ = 1;
    for (int i = last_sub_block; i >= 0; --i) {
        const int x = order[i].x, y = order[i].y;
        const int around = coded[y][x + 1] | coded[y + 1][x] << 1;
        bool infer_dc = false;
        if (i < last_sub_block) {
            count_ = 0;
            first = 15;
            if (i > 0) {
                if (!engine.decision(states_[CODED_SUB_BLOCK_FLAG + (chroma_ ? 2 : 0) + (around != 0)])) continue;
                infer_dc = true;
            }
        }
        coded[y][x] = 1;
        significant(first, i, around, infer_dc);
        if (count_ == 0) continue;
        const bool hide = sign_hiding && places_[0] - places_[count_ - 1] > 3;
        out = values(i, uint32_t(y << 7 | x << 2), hide, out);
    }
    return out;
}

// Adds the places of the coefficients from `first` down.
void BlockDecoder::significant(int first, int sub_block, int around, bool infer_dc) {
    ContextState* states = states_ + SIG_COEFF_FLAG + (chroma_ ? 27 : 0);
    ContextState* const dc = sub_block == 0 ? states : nullptr;
    const uint8_t* map;
    if (log2_size_ == 2) {
        map = SIG_CONTEXTS[size_t(scan_)][4].data();
    } else {
        map = SIG_CONTEXTS[size_t(scan_)][size_t(around)].data();
        if (chroma_) {
            states += log2_size_ == 3 ? 9 : 12;
        } else {
            states += (sub_block > 0 ? 3 : 0) + (log2_size_ == 3 ? (scan_ == 0 ? 9 : 15) : 21);
        }
    }
    int count = count_;
    for (int n = first; n > 0; --n) {
        places_[count] = uint8_t(n);
        count += engine.decision(states[map[n]]);
    }
    if (first >= 0) {
        places_[count] = 0;
        if (infer_dc && count == 0) {
            ++count;
        } else {
            count += engine.decision(dc ? *dc : states[map[0]]);
        }
    }
    count_ = count;
}

// coeff_abs_level_remaining
uint32_t BlockDecoder::remaining(int rice) {
    const uint32_t next = engine.peek_bypass(16);
    int prefix = __builtin_clz(~(next << 16));
    if (prefix <= 3) {
        const int count = prefix + 1 + rice;
        const uint32_t bits = next >> (16 - count);
        engine.take_bypass(bits, count);
        return (uint32_t(prefix) << rice) + (bits & ((1u << rice) - 1));
    }
    if (prefix < 16) {
        engine.take_bypass(next >> (15 - prefix), prefix + 1);
    } else {
        engine.take_bypass(next, 16);
        while (engine.bypass()) {
            if (++prefix > 18) damaged("coefficient level out of range");
        }
    }
    const int bits = prefix - 3 + rice;
    if (bits > 16) damaged("coefficient level out of range");
    return (((1u << (prefix - 3)) + 3 - 1) << rice) + engine.bypass_bits(bits);
}

// Reads the values of the coefficients whose places are known.
Level* BlockDecoder::values(int sub_block, uint32_t place, bool hide, Level* out) {
    const int set = (sub_block == 0 || chroma_ ? 0 : 2) + greater1_seen_;
    ContextState* greater1 = states_ + COEFF_ABS_LEVEL_GREATER1_FLAG + (chroma_ ? 16 : 0) + set * 4;
    uint32_t values[16];
    const int flagged = count_ < 8 ? count_ : 8;
    int context = 1, first_greater = -1;
    for (int k = 0; k < flagged; ++k) {
        const int greater = engine.decision(greater1[context]);
        values[k] = uint32_t(1 + greater);
        if (greater) {
            if (first_greater < 0) first_greater = k;
            context = 0;
        } else if (context > 0 && context < 3) {
            ++context;
        }
    }
    greater1_seen_ = context == 0;
    if (first_greater >= 0) {
        values[first_greater] += uint32_t(
            engine.decision(states_[COEFF_ABS_LEVEL_GREATER2_FLAG + (chroma_ ? 4 : 0) + set]));
    }
    const int signs = count_ - hide;
    uint32_t negative = engine.bypass_bits(signs) << (32 - signs);
    // All of 1 and no more than 8: nothing remains.
    if (first_greater >= 0 || count_ > 8) {
        int rice = 0;
        for (int k = 0; k < count_; ++k) {
            const uint32_t base = k >= 8 ? 1 : k == first_greater ? 3 : 2;
            if (k >= 8) values[k] = 1;
            if (values[k] != base) continue;
            values[k] += remaining(rice);
            if (values[k] > 3u << rice && rice < 4) ++rice;
        }
    }
    uint32_t sum = 0;
    const uint8_t* at = LEVEL_PLACES[size_t(scan_)].data();
    for (int k = 0; k < count_; ++k) {
        const uint32_t value = values[k];
        sum += value;
        uint32_t sign = 0 - (negative >> 31);
        if (hide && k == count_ - 1) sign = 0 - (sum & 1);
        negative <<= 1;
        if (value > 32767 + (sign & 1)) damaged("coefficient level out of range");
        *out++ = Level(((value ^ sign) - sign) << 16 | (place + at[places_[k]]));
    }
    return out;
}

#undef EDGECVAR_INLINE

}  // namespace

void Substream::residual_coding(int x, int y, int log2_size, int plane, int scan, int qp, uint8_t flags) {
    CodedBlock block;
    block.x = uint16_t(x);
    block.y = uint16_t(y);
    block.plane = uint8_t(plane);
    block.log2_size = uint8_t(log2_size);
    block.qp = int8_t(qp);
    block.flags = flags;
    const bool bypass = (flags & BLOCK_BYPASS) != 0;
    if (log2_size == 2 && slice.pps.transform_skip_enabled && !bypass && decision(TRANSFORM_SKIP_FLAG + (plane != 0)))
        block.flags |= BLOCK_SKIP;
    Level* const begin = levels.begin_block();
    BlockDecoder decoder(engine_, contexts_, log2_size, plane != 0, scan);
    const Level* const end = decoder.levels(slice.pps.sign_data_hiding && !bypass, begin);
    engine_ = decoder.engine;
    levels.end_block(block, end);
}

}  // namespace edgecvar::hevc
