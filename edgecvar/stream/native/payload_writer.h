// Writing bits of one raw byte sequence payload (ITU-T H.264, 7.2 and 9.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgecvar {

class PayloadWriter {
public:
    size_t position() const { return position_; }  // in bits

    // 0 <= count <= 32
    void bits(uint32_t value, unsigned count) {
        for (unsigned i = count; i-- > 0;) {
            if (position_ % 8 == 0) bytes_.push_back(0);
            bytes_.back() = uint8_t(bytes_.back() | (value >> i & 1) << (7 - position_ % 8));
            ++position_;
        }
    }

    // ue(v), 9.1
    void ue(uint32_t value) {
        const uint64_t code = uint64_t(value) + 1;
        const unsigned zeros = 63 - unsigned(__builtin_clzll(code));
        bits(0, zeros);
        bits(1, 1);
        bits(uint32_t(code), zeros);
    }

    // se(v), 9.1.1; the greatest is 2^31
    void se(int64_t value) { ue(uint32_t(value > 0 ? 2 * value - 1 : -2 * value)); }

    // The bits from `from` to `to` of other bytes.
    void copy(const uint8_t* data, size_t from, size_t to) {
        for (; from < to && (position_ % 8 != 0 || from % 8 != 0); ++from)
            bits(data[from / 8] >> (7 - from % 8) & 1, 1);
        if (from >= to) return;
        bytes_.insert(bytes_.end(), data + from / 8, data + to / 8);
        position_ += to / 8 * 8 - from;
        for (size_t at = to / 8 * 8; at < to; ++at) bits(data[at / 8] >> (7 - at % 8) & 1, 1);
    }

    // rbsp_trailing_bits, 7.3.2.11
    void end() { bits(1u << 7 >> position_ % 8, 8 - position_ % 8); }

    const std::vector<uint8_t>& bytes() const { return bytes_; }

private:
    std::vector<uint8_t> bytes_;
    size_t position_ = 0;
};

}  // namespace edgecvar
