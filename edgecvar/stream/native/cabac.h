// The arithmetic decoding engine (ITU-T H.264, 9.3.1.2 and 9.3.3.2; H.265, 9.3.2.5 and 9.3.4.3).
#pragma once

#include <array>
#include <cstdint>

#include "bits.h"
#include "cabac_tables.h"

namespace edgecvar {

// One step of a context: the four widths of the less probable part, by (range >> 6 & 3) from the lowest byte on, and
// the next states.
struct CabacStep {
    uint32_t range_lps;
    uint8_t next_mps, next_lps;
    uint8_t unused[2];  // a power of two in size is quicker to index
};

// Tables 9-44 and 9-45 of H.264 for states of the form (pStateIdx << 1) | valMPS.
extern const std::array<CabacStep, 128> CABAC_STEPS;

// RenormD after a less probable symbol: how often codIRange, here by an eighth of it, is doubled.
constexpr uint8_t LPS_SHIFT[32] = {6, 5, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2,
                                   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

// `offset_` holds codIOffset and the `ahead_` bits that follow it.
class CabacEngine {
public:
    // Starts at a byte of a payload.
    void start(const uint8_t* data, const uint8_t* end) {
        next_ = data;
        limit_ = end + Payload::PADDING - 16;
        offset_ = load_be64(data) >> 8;
        next_ += 7;
        ahead_ = 56 - 9;
        range_ = 510;
        // 510 and 511 are no codIOffset. Below codIRange it stays so, and what bypass bits are counted by is in bounds.
        if (offset_ >= range_ << ahead_) damaged("arithmetic code out of range");
    }

    __attribute__((always_inline)) int decision(ContextState& state) {
        if (__builtin_expect(ahead_ < 8, 0)) refill();
        const unsigned before = state;
        const CabacStep& step = CABAC_STEPS[before];
        // A shift, not an indexed load: all but the shift is ready before the range is.
        const uint64_t lps = (step.range_lps >> ((range_ >> 3) & 24)) & 0xFF;
        const uint64_t range = range_ - lps;
        const uint64_t scaled = range << ahead_;
        if (offset_ < scaled) {
            state = step.next_mps;
            const bool small = range < 256;
            range_ = small ? range << 1 : range;
            ahead_ -= small;
            return before & 1;
        }
        offset_ -= scaled;
        state = step.next_lps;
        const int shift = LPS_SHIFT[lps >> 3];
        range_ = lps << shift;
        ahead_ -= shift;
        return ~before & 1;
    }

    __attribute__((always_inline)) int bypass() {
        if (__builtin_expect(ahead_ < 8, 0)) refill();
        --ahead_;
        const uint64_t scaled = range_ << ahead_;
        const uint64_t one = offset_ >= scaled ? ~uint64_t(0) : 0;
        offset_ -= scaled & one;
        return int(one & 1);
    }

    // The next bypass bits, 0 <= count <= 16, the first one highest, not read: what a step for each would give, at once.
    __attribute__((always_inline)) uint32_t peek_bypass(int count) {
        if (__builtin_expect(ahead_ < 24, 0)) refill_half();
        return uint32_t(offset_ >> (ahead_ - count)) / uint32_t(range_);
    }
    // Reads bypass bits that are known.
    __attribute__((always_inline)) void take_bypass(uint32_t bits, int count) {
        ahead_ -= count;
        offset_ -= (bits * range_) << ahead_;
    }
    __attribute__((always_inline)) uint32_t bypass_bits(int count) {
        const uint32_t bits = peek_bypass(count);
        take_bypass(bits, count);
        return bits;
    }

    // The value with the sign that the next bypass bit gives.
    int signed_by_bypass(int value) {
        const int negative = -bypass();
        return (value ^ negative) - negative;
    }

    bool terminate() {
        if (__builtin_expect(ahead_ < 8, 0)) refill();
        range_ -= 2;
        if (offset_ >= range_ << ahead_) return true;
        const int shift = __builtin_clz(unsigned(range_)) - 23;
        range_ <<= shift;
        ahead_ -= shift;
        return false;
    }

    // The first byte that has not been loaded: never before `position`.
    const uint8_t* loaded_to() const { return next_; }

    // The first whole byte after what has been decoded: where I_PCM samples start.
    const uint8_t* position() const { return next_ - ahead_ / 8; }

private:
    // Where fewer than 24 bits are ahead, codIOffset and they are of 32 bits.
    __attribute__((always_inline)) void refill_half() {
        const uint64_t more = load_be32(next_);
        if (next_ < limit_) next_ += 4;
        offset_ = (offset_ << 32) | more;
        ahead_ += 32;
    }

    __attribute__((always_inline)) void refill() {
        const uint64_t more = load_be64(next_) >> 16;
        if (next_ < limit_) next_ += 6;
        offset_ = (offset_ << 48) | more;
        ahead_ += 48;
    }

    // All of 64 bits: stores to context states and coefficients are then known not to change them.
    uint64_t offset_ = 0;
    uint64_t range_ = 0;
    int64_t ahead_ = 0;
    const uint8_t* next_ = nullptr;
    const uint8_t* limit_ = nullptr;
};

}  // namespace edgecvar
