// Reading bits of one raw byte sequence payload (ITU-T H.264, 7.2 and 9.1; H.265, 7.2 and 9.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "damage.h"

namespace edgecvar {

inline uint32_t load_be32(const uint8_t* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return v;
#else
    return __builtin_bswap32(v);
#endif
}

inline uint64_t load_be64(const uint8_t* p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return v;
#else
    return __builtin_bswap64(v);
#endif
}

// A payload without its emulation prevention bytes; PADDING zero bytes follow it, so that readers may look ahead.
struct Payload {
    static constexpr size_t PADDING = 32;

    std::vector<uint8_t> bytes;  // size + PADDING
    size_t size = 0;
    std::vector<uint32_t> escapes{};  // before which bytes one for emulation prevention stood
};

// A position in a payload. Past its end there are zeros, and `overrun` says that some were read; the position
// never goes further than PADDING / 2 bytes past the end.
class BitReader {
public:
    BitReader() = default;
    explicit BitReader(const Payload& payload) : data_(payload.bytes.data()), end_(payload.size * 8) {
        size_t last = payload.size;
        while (last > 0 && data_[last - 1] == 0) --last;
        if (last > 0) stop_bit_ = last * 8 - 1 - size_t(__builtin_ctz(data_[last - 1]));
    }

    size_t position() const { return position_; }  // in bits
    size_t end() const { return end_; }            // in bits
    bool overrun() const { return position_ > end_; }
    // Whether the trailing bits, or what follows them, have been read as data.
    bool past_data() const { return position_ > stop_bit_; }
    const uint8_t* data() const { return data_; }

    // The next 32 bits, not read.
    uint32_t peek32() const { return uint32_t((load_be64(data_ + (position_ >> 3)) << (position_ & 7)) >> 32); }

    void skip(unsigned count) {
        position_ += count;
        if (__builtin_expect(position_ > end_, 0)) stop();
    }

    // 0 <= count <= 32
    uint32_t bits(unsigned count) {
        if (count == 0) return 0;
        const uint32_t value = peek32() >> (32 - count);
        skip(count);
        return value;
    }

    bool flag() {
        const bool value = (data_[position_ >> 3] >> (7 - (position_ & 7))) & 1;
        skip(1);
        return value;
    }

    // ue(v), 9.1; Damage for a code of more than 32 bits of prefix.
    uint32_t ue() {
        const uint32_t next = peek32();
        if (__builtin_expect(next == 0, 0)) return long_ue();
        const unsigned zeros = __builtin_clz(next);
        if (zeros <= 15) {
            skip(2 * zeros + 1);
            return (next >> (31 - 2 * zeros)) - 1;
        }
        skip(zeros);
        return bits(zeros + 1) - 1;
    }

    // se(v), 9.1.1
    int32_t se() {
        const uint32_t code = ue();
        const int32_t half = int32_t((code >> 1) + (code & 1));
        return code & 1 ? half : -half;
    }

    // more_rbsp_data(), 7.2: whether anything precedes the trailing bits.
    bool more_data() const { return position_ < stop_bit_; }

private:
    uint32_t long_ue() {
        skip(32);
        if (!overrun() && flag() && bits(32) == 0) return 0xFFFFFFFFu;
        throw Damage("Exp-Golomb code too long");
    }

    void stop() {
        const size_t limit = end_ + Payload::PADDING * 4;
        if (position_ > limit) position_ = limit;
    }

    const uint8_t* data_ = nullptr;
    size_t position_ = 0;
    size_t end_ = 0;
    size_t stop_bit_ = 0;  // of rbsp_trailing_bits
};

// The next bits of a reader in one register, for loops over short codes. What was taken is read when `finish` is called.
class BitWindow {
public:
    explicit BitWindow(BitReader& reader) : reader_(reader), position_(reader.position()) { load(); }

    // Makes sure of the next `count` bits, at most 57.
    void need(unsigned count) {
        if (__builtin_expect(left_ < count, 0)) load();
    }
    // 1 <= count <= 32; only bits that have been made sure of.
    uint32_t peek(unsigned count) const { return uint32_t(window_ >> (64 - count)); }
    unsigned zeros() const { return window_ ? unsigned(__builtin_clzll(window_)) : 64; }
    void take(unsigned count) {
        window_ <<= count;
        left_ -= count;
        position_ += count;
    }
    uint32_t bits(unsigned count) {
        const uint32_t value = peek(count);
        take(count);
        return value;
    }
    void finish() { reader_.skip(unsigned(position_ - reader_.position())); }

private:
    void load() {
        const size_t at = position_ >> 3;
        const bool inside = position_ <= reader_.end() + Payload::PADDING * 4;
        window_ = inside ? load_be64(reader_.data() + at) << (position_ & 7) : 0;
        left_ = 57;
    }

    BitReader& reader_;
    size_t position_;
    uint64_t window_ = 0;
    unsigned left_ = 0;
};

}  // namespace edgecvar
