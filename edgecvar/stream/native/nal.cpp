// Finding NAL units and freeing them of emulation prevention (ITU-T H.264 and H.265, 7.3.1, Annex B; ISO/IEC
// 14496-15, 5.3.3 and 8.3.3).
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

// Units as they are found.
struct Found {
    const Standard standard;
    bool& broken;
    std::vector<NalUnit> units;

    void add(const uint8_t* data, size_t size);
};

void Found::add(const uint8_t* data, size_t size) {
    while (size > 0 && data[size - 1] == 0) --size;  // trailing_zero_8bits: no unit ends with a zero byte
    if (size == 0) return;
    if (data[0] & 0x80) {  // forbidden_zero_bit
        broken = true;
        return;
    }
    units.push_back(nal_unit(data, size, standard));
}

bool begins_with_start_code(const uint8_t* data, size_t size) {
    if (size < 4 || data[0] != 0 || data[1] != 0) return false;
    return data[2] == 1 || (data[2] == 0 && data[3] == 1);
}

void split_start_codes(const uint8_t* data, size_t size, Found& found) {
    const uint8_t* const end = data + size;
    const uint8_t* code = find_code(data, end, 1);
    if (code == end && std::any_of(data, end, [](uint8_t byte) { return byte != 0; })) found.broken = true;
    while (code != end) {
        const uint8_t* first = code + 3;
        code = find_code(first, end, 1);
        found.add(first, size_t(code - first));
    }
}

void split_lengths(const uint8_t* data, size_t size, size_t length_size, Found& found) {
    size_t position = 0;
    while (size - position >= length_size) {
        size_t length = 0;
        for (size_t i = 0; i < length_size; ++i) length = (length << 8) | data[position + i];
        position += length_size;
        if (length > size - position) {
            found.broken = true;
            return;
        }
        // Some writers leave an end of sequence in, start code and all: no unit holds a start code.
        const uint8_t *first = data + position, *end = first + length;
        while (true) {
            const uint8_t* code = find_code(first, end, 1);
            found.add(first, size_t(code - first));
            if (code == end) break;
            first = code + 3;
        }
        position += length;
    }
    if (position < size) found.broken = true;
}

}  // namespace

NalUnit nal_unit(const uint8_t* data, size_t size, Standard standard) {
    NalUnit unit;
    unit.data = data;
    unit.size = size;
    if (standard == Standard::H264) {
        unit.ref_idc = data[0] >> 5 & 3;
        unit.type = data[0] & 31;
        return unit;
    }
    unit.header_size = 2;
    unit.type = size < 2 ? -1 : data[0] >> 1 & 63;
    if (size < 2) return unit;
    unit.layer = (data[0] & 1) << 5 | data[1] >> 3;
    unit.temporal_id = (data[1] & 7) - 1;
    return unit;
}

std::vector<NalUnit> split(const uint8_t* data, size_t size, int length_size, bool& broken, Standard standard) {
    broken = false;
    if (size == 0) return {};
    Found found{standard, broken, {}};
    if (length_size > 0) split_lengths(data, size, size_t(std::min(length_size, 4)), found);
    if (length_size > 0 && broken && begins_with_start_code(data, size)) {
        broken = false;
        found.units.clear();
        length_size = 0;
    }
    if (length_size <= 0) split_start_codes(data, size, found);
    return std::move(found.units);
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
    const size_t header = size_t(unit.header_size);
    const size_t most = unit.size > header ? unit.size - header : 0;
    if (payload.bytes.size() < most + Payload::PADDING) payload.bytes.resize(most + Payload::PADDING);
    payload.escapes.clear();
    uint8_t* out = payload.bytes.data();
    if (most > 0) {
        const uint8_t* from = unit.data + header;
        const uint8_t* const end = unit.data + unit.size;
        while (true) {
            const uint8_t* code = find_code(from, end, 3);
            const size_t run = size_t(code - from) + (code == end ? 0 : 2);
            std::memcpy(out, from, run);
            out += run;
            if (code == end) break;
            payload.escapes.push_back(uint32_t(out - payload.bytes.data()));
            from = code + 3;
        }
    }
    payload.size = size_t(out - payload.bytes.data());
    std::memset(out, 0, Payload::PADDING);
}

void append_unit(const std::vector<uint8_t>& header, const std::vector<uint8_t>& payload, std::vector<uint8_t>& bytes) {
    bytes.reserve(bytes.size() + payload.size() + payload.size() / 64 + 5);
    bytes.insert(bytes.end(), {0, 0, 0, 1});
    bytes.insert(bytes.end(), header.begin(), header.end());
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

namespace {

// A record of parameter sets, from some position on.
class Record {
public:
    Record(const uint8_t* data, size_t size, size_t position) : data_(data), size_(size), position_(position) {}

    size_t bytes(size_t count) {
        if (size_ - position_ < count) throw Damage("the record of parameter sets breaks off");
        size_t value = 0;
        for (; count > 0; --count) value = value << 8 | data_[position_++];
        return value;
    }

    void units(size_t count, std::vector<std::vector<uint8_t>>& units) {
        for (; count > 0; --count) {
            const size_t length = bytes(2);
            if (length > size_ - position_) throw Damage("the record of parameter sets breaks off");
            if (length > 0) units.emplace_back(data_ + position_, data_ + position_ + length);
            position_ += length;
        }
    }

private:
    const uint8_t* const data_;
    const size_t size_;
    size_t position_;
};

}  // namespace

Extradata read_extradata(const uint8_t* data, size_t size, Standard standard) {
    Extradata extradata;
    if (size == 0) return extradata;
    const bool avc = standard == Standard::H264;
    // A record begins with its version; writers of hvcC have left 0 there, and Annex B begins with two zeros.
    const bool record = avc ? data[0] == 1 : size > 2 && (data[0] != 0 || data[1] != 0 || data[2] > 1);
    if (!record) {
        bool broken = false;
        for (const NalUnit& unit : split(data, size, 0, broken, standard)) {
            extradata.units.emplace_back(unit.data, unit.data + unit.size);
        }
        return extradata;
    }
    if (size < (avc ? 7u : 23u)) throw Damage("the record of parameter sets breaks off");
    extradata.length_size = (data[avc ? 4 : 21] & 3) + 1;
    if (avc) {
        Record sets(data, size, 5);
        for (const size_t mask : {31, 255}) sets.units(sets.bytes(1) & mask, extradata.units);
        return extradata;
    }
    Record arrays(data, size, 22);
    for (size_t count = arrays.bytes(1); count > 0; --count) {
        arrays.bytes(1);  // what kind of units follow: they say themselves
        arrays.units(arrays.bytes(2), extradata.units);
    }
    return extradata;
}

}  // namespace edgecvar
