// What a checked stream file holds: parameter sets out of band, and packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nal.h"

struct Bytes {
    const uint8_t* data = nullptr;
    size_t size = 0;
};

struct StreamFile {
    edgecvar::Standard standard = edgecvar::Standard::H264;
    Bytes extradata;
    std::vector<Bytes> packets;
};

// An Annex B stream cut before its access units; simple, since a parser has to live with any cut.
inline void cut_at_access_units(Bytes stream, edgecvar::Standard standard, std::vector<Bytes>& packets) {
    const bool hevc = standard == edgecvar::Standard::HEVC;
    size_t start = 0;
    bool slices = false;  // whether the packet has some already
    for (size_t i = 0; i + 5 < stream.size; ++i) {
        const uint8_t* p = stream.data + i;
        if (p[0] != 0 || p[1] != 0 || p[2] != 1) continue;
        const int type = hevc ? p[3] >> 1 & 63 : p[3] & 31;
        const bool slice = hevc ? type < 32 : type == 1 || type == 5;
        const bool first = (p[hevc ? 5 : 4] & 0x80) != 0;
        const bool before = hevc ? (type >= 32 && type <= 35) || type == 39 : type >= 6 && type <= 9;
        if (slices && (before || (slice && first))) {
            packets.push_back({stream.data + start, i - start});
            start = i;
            slices = false;
        }
        slices |= slice;
    }
    if (start < stream.size) packets.push_back({stream.data + start, stream.size - start});
}

// A file whose first byte is even is Annex B (it may be the first of a start code's zeros); if it is odd, blocks
// follow, each after its size in two bytes: the extradata, then the packets. From 128 on it is H.265.
inline StreamFile read_stream_file(const uint8_t* data, size_t size) {
    StreamFile file;
    if (size == 0) return file;
    if (data[0] >= 128) file.standard = edgecvar::Standard::HEVC;
    if (data[0] % 2 == 0) {
        cut_at_access_units({data + 1, size - 1}, file.standard, file.packets);
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
