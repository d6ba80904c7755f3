// Parameter sets and slice segment headers made up bit by bit (ITU-T H.265, 7.3).
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bit_writer.h"
#include "hevc/parameter_sets.h"

using namespace edgecvar;
using namespace edgecvar::hevc;
using Bytes = std::vector<uint8_t>;
using Numbers = std::vector<int>;
using Part = std::function<void(BitWriter&)>;

template <class Error>
inline std::string thrown(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

struct SpsBits {
    uint32_t profile = 1, space = 0, id = 0, chroma_format = 1, width = 64, height = 48, luma = 8, chroma = 8;
    uint32_t min_cb = 3, ctb = 4, min_tb = 2, max_tb = 4, sub_layers = 1, depth = 1;
    bool crop = false, temporal_mvp = true;
    Part scaling, pcm, sets, vui, extension, long_term;

    Payload payload() const {
        BitWriter out;
        out.bits(2, 4).bits(sub_layers - 1, 3).bits(1, 1);
        out.bits(space, 2).bits(0, 1).bits(profile, 5).bits(0, 32).bits(0, 32).bits(0, 16).bits(93, 8);
        if (sub_layers > 1) out.bits(2, 2).bits(0, 2 * (sub_layers - 2)).bits(0, 2 * (9 - sub_layers)).bits(0, 32);
        if (sub_layers > 1) out.bits(0, 32).bits(0, 24);  // the profile of the lowest
        out.ue(id).ue(chroma_format);
        if (chroma_format == 3) out.bits(0, 1);
        out.ue(width).ue(height).bits(crop, 1);
        if (crop) out.ues({1, 2, 3, 4});
        out.ue(luma - 8).ue(chroma - 8).ue(4).bits(1, 1);
        for (uint32_t i = 0; i < sub_layers; ++i) out.ues({4 + i, i, 0});
        out.ue(min_cb - 3).ue(ctb - min_cb).ue(min_tb - 2).ue(max_tb - min_tb).ue(depth).ue(depth);
        out.bits(scaling ? 1 : 0, 1);
        if (scaling) scaling(out);
        out.bits(1, 1).bits(1, 1).bits(pcm ? 1 : 0, 1);  // amp, sao
        if (pcm) pcm(out);
        if (sets) sets(out);
        if (!sets) out.ue(0);
        out.bits(long_term ? 1 : 0, 1);
        if (long_term) long_term(out);
        out.bits(temporal_mvp, 1).bits(1, 1).bits(vui ? 1 : 0, 1);
        if (vui) vui(out);
        out.bits(extension ? 1 : 0, 1);
        if (extension) extension(out);
        return out.payload();
    }
};

struct PpsBits {
    uint32_t id = 0, sps = 0, extra = 0, refs = 2, parallel = 0;
    bool dependent = false, output = false, weighted = false, sync = false, lists = false, header_extension = false;
    bool chroma_offsets = false, deblocking = false, init = false;
    Part tiles, scaling, extension;

    Payload payload() const {
        BitWriter out;
        out.ue(id).ue(sps).bits(dependent, 1).bits(output, 1).bits(extra, 3).bits(1, 1).bits(init, 1);
        out.ue(refs - 1).ue(0).se(-3).bits(0, 2).bits(1, 1).ue(1).se(2).se(-2);
        out.bits(chroma_offsets, 1).bits(weighted, 1).bits(weighted, 1).bits(0, 1).bits(tiles ? 1 : 0, 1).bits(sync, 1);
        if (tiles) tiles(out);
        out.bits(1, 1).bits(deblocking, 1);
        if (deblocking) out.bits(1, 1).bits(0, 1).se(1).se(-1);
        out.bits(scaling ? 1 : 0, 1);
        if (scaling) scaling(out);
        out.bits(lists, 1).ue(parallel).bits(header_extension, 1).bits(extension ? 1 : 0, 1);
        if (extension) extension(out);
        return out.payload();
    }
};

inline ParameterSets sets_of(const SpsBits& sps, const PpsBits& pps) {
    ParameterSets sets;
    sets.read_sps(sps.payload());
    sets.read_pps(pps.payload());
    return sets;
}

// A header that is aligned, and so many bytes of data.
inline Payload aligned(BitWriter slice, size_t data = 8) {
    slice.bits(1, 1);
    while (slice.position() % 8 != 0) slice.bits(0, 1);
    for (size_t i = 0; i < data; ++i) slice.bits(0x55, 8);
    return slice.payload();
}

inline SliceHeader read_slice(ParameterSets& sets, const Payload& payload, int type = TRAIL_R,
                              const SliceHeader* before = nullptr) {
    NalUnit unit;
    unit.type = type;
    return sets.read_slice_header(unit, payload, before);
}

// An I slice of an IDR picture: SAO flags, slice_qp_delta 1, filter across slices.
inline const BitWriter IDR = BitWriter().bits(1, 1).bits(0, 1).ue(0).ue(2).bits(3, 2).se(1).bits(1, 1);

inline SliceHeader read_idr(ParameterSets& sets) { return read_slice(sets, aligned(IDR), IDR_W_RADL); }

// A reference picture set whose deltas are given nearest first.
inline void write_set(BitWriter& out, const Numbers& before, const Numbers& after) {
    out.ue(uint32_t(before.size())).ue(uint32_t(after.size()));
    for (const Numbers* side : {&before, &after}) {
        int last = 0;
        for (const int poc : *side) {
            out.ue(uint32_t(std::abs(poc - last) - 1)).bits(poc % 2 == 0, 1);  // even ones are used
            last = poc;
        }
    }
}
