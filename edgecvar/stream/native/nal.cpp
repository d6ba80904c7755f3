// Finding NAL units and freeing them of emulation prevention (ITU-T H.264, 7.3.1, Annex B; ISO/IEC 14496-15, 5.3.3).
#include "nal.h"

#include <algorithm>

namespace edgecvar {

namespace {

// The first 00 00 `last` at or after `from`, else `end`.
const uint8_t* find_code(const uint8_t* from, const uint8_t* end, uint8_t last) {
    while (end - from >= 3) {
        const void* found = std::memchr(from + 2, last, size_t(end - from - 2));
        if (!found) break;
        const uint8_t* at = static_cast<const uint8_t*>(found);
        if (at[-1] == 0 && at[-2] == 0) return at - 2;
        from = at - 1;
    }
    return end;
}

void add_unit(const uint8_t* data, size_t size, std::vector<NalUnit>& units, bool& broken) {
    while (size > 0 && data[size - 1] == 0) --size;  // trailing_zero_8bits: no unit ends with a zero byte
    if (size == 0) return;
    if (data[0] & 0x80) {  // forbidden_zero_bit
        broken = true;
        return;
    }
    units.push_back(nal_unit(data, size));
}

bool begins_with_start_code(const uint8_t* data, size_t size) {
    if (size < 4 || data[0] != 0 || data[1] != 0) return false;
    return data[2] == 1 || (data[2] == 0 && data[3] == 1);
}

std::vector<NalUnit> split_start_codes(const uint8_t* data, size_t size, bool& broken) {
    std::vector<NalUnit> units;
    const uint8_t* const end = data + size;
    const uint8_t* code = find_code(data, end, 1);
    if (code == end && std::any_of(data, end, [](uint8_t byte) { return byte != 0; })) broken = true;
    while (code != end) {
        const uint8_t* first = code + 3;
        code = find_code(first, end, 1);
        add_unit(first, size_t(code - first), units, broken);
    }
    return units;
}

std::vector<NalUnit> split_lengths(const uint8_t* data, size_t size, size_t length_size, bool& broken) {
    std::vector<NalUnit> units;
    size_t position = 0;
    while (size - position >= length_size) {
        size_t length = 0;
        for (size_t i = 0; i < length_size; ++i) length = (length << 8) | data[position + i];
        position += length_size;
        if (length > size - position) {
            broken = true;
            return units;
        }
        // Some writers leave an end of sequence in, start code and all: no unit holds a start code.
        const uint8_t *first = data + position, *end = first + length;
        while (true) {
            const uint8_t* code = find_code(first, end, 1);
            add_unit(first, size_t(code - first), units, broken);
            if (code == end) break;
            first = code + 3;
        }
        position += length;
    }
    if (position < size) broken = true;
    return units;
}

}  // namespace

std::vector<NalUnit> split(const uint8_t* data, size_t size, int length_size, bool& broken) {
    broken = false;
    if (size == 0) return {};
    if (length_size <= 0) return split_start_codes(data, size, broken);
    std::vector<NalUnit> units = split_lengths(data, size, size_t(std::min(length_size, 4)), broken);
    if (broken && begins_with_start_code(data, size)) {
        broken = false;
        return split_start_codes(data, size, broken);
    }
    return units;
}

std::vector<uint8_t> join(const std::vector<std::vector<uint8_t>>& units, int length_size) {
    std::vector<uint8_t> bytes;
    for (const std::vector<uint8_t>& unit : units) {
        const int width = length_size ? length_size : 4;
        const size_t prefix = length_size ? unit.size() : 1;
        if (width < 4 && unit.size() >> (8 * width)) continue;  // cannot have come in such a packet
        for (int i = width; i-- > 0;) bytes.push_back(uint8_t(prefix >> (8 * i)));
        bytes.insert(bytes.end(), unit.begin(), unit.end());
    }
    return bytes;
}

void unescape(const NalUnit& unit, Payload& payload) {
    const size_t most = unit.size > 0 ? unit.size - 1 : 0;
    if (payload.bytes.size() < most + Payload::PADDING) payload.bytes.resize(most + Payload::PADDING);
    uint8_t* out = payload.bytes.data();
    if (most > 0) {
        const uint8_t* from = unit.data + 1;
        const uint8_t* const end = unit.data + unit.size;
        while (true) {
            const uint8_t* code = find_code(from, end, 3);
            const size_t run = size_t(code - from) + (code == end ? 0 : 2);
            std::memcpy(out, from, run);
            out += run;
            if (code == end) break;
            from = code + 3;
        }
    }
    payload.size = size_t(out - payload.bytes.data());
    std::memset(out, 0, Payload::PADDING);
}

void append_unit(uint8_t header, const std::vector<uint8_t>& payload, std::vector<uint8_t>& bytes) {
    bytes.reserve(bytes.size() + payload.size() + payload.size() / 64 + 5);
    bytes.insert(bytes.end(), {0, 0, 0, 1, header});
    int zeros = 0;
    for (const uint8_t byte : payload) {
        if (zeros == 2 && byte <= 3) {
            bytes.push_back(3);
            zeros = 0;
        }
        bytes.push_back(byte);
        zeros = byte == 0 ? zeros + 1 : 0;
    }
}

Extradata read_extradata(const uint8_t* data, size_t size) {
    Extradata extradata;
    if (size == 0) return extradata;
    if (data[0] != 1) {
        bool broken = false;
        for (const NalUnit& unit : split(data, size, 0, broken)) {
            extradata.units.emplace_back(unit.data, unit.data + unit.size);
        }
        return extradata;
    }
    if (size < 7) throw Damage("avcC record breaks off");
    extradata.length_size = (data[4] & 3) + 1;
    size_t position = 5;
    for (const int mask : {31, 255}) {  // sequence, then picture parameter sets
        if (position >= size) throw Damage("avcC record breaks off");
        const int count = data[position++] & mask;
        for (int i = 0; i < count; ++i) {
            if (size - position < 2) throw Damage("avcC record breaks off");
            const size_t length = size_t(data[position]) << 8 | data[position + 1];
            position += 2;
            if (length > size - position) throw Damage("avcC record breaks off");
            if (length > 0) extradata.units.emplace_back(data + position, data + position + length);
            position += length;
        }
    }
    return extradata;
}

}  // namespace edgecvar
