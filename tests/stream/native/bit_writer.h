// Writes payloads bit by bit, for tests.
#pragma once

#include <initializer_list>
#include <vector>

#include "bits.h"

class BitWriter {
public:
    BitWriter& bits(uint32_t value, unsigned count) {
        for (unsigned i = count; i-- > 0;) {
            if (used_ % 8 == 0) bytes_.push_back(0);
            bytes_.back() = uint8_t(bytes_.back() | (((value >> i) & 1) << (7 - used_ % 8)));
            ++used_;
        }
        return *this;
    }

    BitWriter& ue(uint32_t value) {
        unsigned length = 1;
        while (length < 32 && ((value + 1) >> length) != 0) ++length;
        return bits(0, length - 1).bits(value + 1, length);
    }

    BitWriter& ues(std::initializer_list<uint32_t> values) {
        for (const uint32_t value : values) ue(value);
        return *this;
    }

    BitWriter& se(int value) { return ue(value > 0 ? uint32_t(2 * value - 1) : uint32_t(-2 * value)); }

    size_t position() const { return used_; }

    // With rbsp_trailing_bits.
    edgecvar::Payload payload() const {
        BitWriter whole = *this;
        whole.bits(1, 1);
        edgecvar::Payload payload;
        payload.size = whole.bytes_.size();
        payload.bytes = whole.bytes_;
        payload.bytes.resize(payload.size + edgecvar::Payload::PADDING, 0);
        return payload;
    }

private:
    std::vector<uint8_t> bytes_;
    size_t used_ = 0;
};
