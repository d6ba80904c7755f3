// Weighted prediction tables (ITU-T H.265, 7.3.6.3, 7.4.7.3).
#include "hevc/weights.h"

#include <algorithm>

#include "range.h"

namespace edgecvar::hevc {

namespace {

constexpr int HALF_RANGE = 128;  // wpOffsetHalfRangeC, without high_precision_offsets_enabled_flag

int read_weight(BitReader& reader, int log2_denom) {
    return (1 << log2_denom) + within(reader.se(), -128, 127, "delta_weight");
}

void read_luma(BitReader& reader, const SliceHeader& header, Weight& weight) {
    weight.weight[0] = int16_t(read_weight(reader, header.luma_log2_denom));
    weight.offset[0] = int16_t(within(reader.se(), -HALF_RANGE, HALF_RANGE - 1, "luma_offset"));
}

void read_chroma(BitReader& reader, const SliceHeader& header, Weight& weight) {
    for (size_t plane = 1; plane < 3; ++plane) {
        const int factor = read_weight(reader, header.chroma_log2_denom);
        const int delta = within(reader.se(), -4 * HALF_RANGE, 4 * HALF_RANGE - 1, "delta_chroma_offset");
        const int offset = HALF_RANGE + delta - ((HALF_RANGE * factor) >> header.chroma_log2_denom);  // (7-56)
        weight.weight[plane] = int16_t(factor);
        weight.offset[plane] = int16_t(std::clamp(offset, -HALF_RANGE, HALF_RANGE - 1));
    }
}

}  // namespace

void read_weights(BitReader& reader, SliceHeader& header) {
    const bool chroma = header.sps->chroma_format_idc != 0;
    header.luma_log2_denom = int(at_most(reader.ue(), 7, "luma_log2_weight_denom"));
    if (chroma) {
        const int delta = within(reader.se(), -7, 7, "delta_chroma_log2_weight_denom");
        header.chroma_log2_denom = within(header.luma_log2_denom + delta, 0, 7, "ChromaLog2WeightDenom");
    }
    for (size_t list = 0; list < 2; ++list) {
        for (Weight& weight : header.weights[list]) {
            weight = Weight();
            weight.weight[0] = int16_t(1 << header.luma_log2_denom);
            weight.weight[1] = weight.weight[2] = int16_t(1 << header.chroma_log2_denom);
        }
        const size_t count = size_t(header.num_ref_idx[list]);
        bool luma_flags[MOST_REFERENCES] = {}, chroma_flags[MOST_REFERENCES] = {};
        for (size_t i = 0; i < count; ++i) luma_flags[i] = reader.flag();
        for (size_t i = 0; chroma && i < count; ++i) chroma_flags[i] = reader.flag();
        for (size_t i = 0; i < count; ++i) {
            if (luma_flags[i]) read_luma(reader, header, header.weights[list][i]);
            if (chroma_flags[i]) read_chroma(reader, header, header.weights[list][i]);
        }
    }
}

}  // namespace edgecvar::hevc
