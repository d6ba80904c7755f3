// What a checked stream file holds: parameter sets out of band, and packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct Bytes {
    const uint8_t* data = nullptr;
    size_t size = 0;
};

struct StreamFile {
    Bytes extradata;
    std::vector<Bytes> packets;
};

// An Annex B stream cut before its access units; simple, since a parser has to live with any cut.
inline void cut_at_access_units(Bytes stream, std::vector<Bytes>& packets) {
    size_t start = 0;
    bool slices = false;  // whether the packet has some already
    for (size_t i = 0; i + 4 < stream.size; ++i) {
        const uint8_t* p = stream.data + i;
        if (p[0] != 0 || p[1] != 0 || p[2] != 1) continue;
        const int type = p[3] & 31;
        const bool slice = type == 1 || type == 5, first_macroblock = (p[4] & 0x80) != 0;
        if (slices && ((type >= 6 && type <= 9) || (slice && first_macroblock))) {
            packets.push_back({stream.data + start, i - start});
            start = i;
            slices = false;
        }
        slices |= slice;
    }
    if (start < stream.size) packets.push_back({stream.data + start, stream.size - start});
}

// A file whose first byte is even is Annex B (it may be the first of a start code's zeros); if it is odd, blocks
// follow, each after its size in two bytes: the extradata, then the packets.
inline StreamFile read_stream_file(const uint8_t* data, size_t size) {
    StreamFile file;
    if (size == 0) return file;
    if (data[0] % 2 == 0) {
        cut_at_access_units({data + 1, size - 1}, file.packets);
        return file;
    }
    for (size_t at = 1; at + 2 <= size;) {
        size_t length = size_t(data[at]) << 8 | data[at + 1];
        at += 2;
        if (length > size - at) length = size - at;
        file.packets.push_back({data + at, length});
        at += length;
    }
    if (file.packets.empty()) return file;
    file.extradata = file.packets.front();
    file.packets.erase(file.packets.begin());
    return file;
}
