// Transform trees and units, and cu_qp_delta (ITU-T H.265, 7.3.8.8, 7.3.8.10 and 7.3.8.14).
#include "hevc/intra_modes.h"
#include "hevc/quantization.h"
#include "hevc/substream.h"

namespace edgecvar::hevc {

void Substream::transform_tree(const CodingUnit& cu, int x, int y, int x_base, int y_base, int log2_size, int depth,
                               int index, Chroma parent) {
    const Sps& sps = slice.sps;
    const bool intra_split = cu.intra && cu.part_mode == PartMode::FOUR;
    bool split;
    if (log2_size <= sps.max_tb_log2 && log2_size > sps.min_tb_log2 && depth < cu.max_transform_depth &&
        !(intra_split && depth == 0)) {
        split = decision(SPLIT_TRANSFORM_FLAG + 5 - log2_size);
    } else {
        const bool inter_split = sps.max_transform_depth_inter == 0 && !cu.intra && cu.part_mode != PartMode::WHOLE;
        split = log2_size > sps.max_tb_log2 || (depth == 0 && (intra_split || inter_split));
    }
    Chroma chroma;
    if (sps.chroma_format_idc != 0) {
        if (log2_size > 2) {
            chroma.cb = parent.cb && decision(CBF_CHROMA + depth);
            chroma.cr = parent.cr && decision(CBF_CHROMA + depth);
        } else {
            chroma = parent;
        }
    }
    if (split) {
        const int half = 1 << (log2_size - 1);
        for (int i = 0; i < 4; ++i)
            transform_tree(cu, x + (i & 1 ? half : 0), y + (i & 2 ? half : 0), x, y, log2_size - 1, depth + 1, i,
                           chroma);
        return;
    }
    bool luma = true;
    if (cu.intra || depth != 0 || chroma.any()) luma = decision(CBF_LUMA + (depth == 0));
    if (luma || chroma.any()) transform_unit(cu, x, y, x_base, y_base, log2_size, index, luma, chroma);
}

void Substream::transform_unit(const CodingUnit& cu, int x, int y, int x_base, int y_base, int log2_size, int index,
                               bool luma, Chroma chroma) {
    if (slice.pps.cu_qp_delta_enabled && !qp_delta_coded_) cu_qp_delta();
    if (luma) {
        // A partition's mode is that of its quarter of the unit.
        const int half = cu.log2_size - 1;
        const int part = (((y - cu.y) >> half) & 1) * 2 + (((x - cu.x) >> half) & 1);
        const int scan = cu.intra && log2_size <= 3 ? scan_of_mode(cu.luma_modes[part]) : SCAN_DIAGONAL;
        const uint8_t flags = uint8_t((cu.intra ? BLOCK_INTRA : 0) | (cu.bypass ? BLOCK_BYPASS : 0) |
                                      (cu.intra && log2_size == 2 ? BLOCK_DST : 0));
        residual_coding(x, y, log2_size, 0, scan, qp_y_ + 6 * (slice.sps.bit_depth_luma - 8), flags);
    }
    if (!chroma.any()) return;
    if (log2_size > 2) {
        chroma_blocks(cu, x >> 1, y >> 1, log2_size - 1, chroma);
    } else if (index == 3) {
        chroma_blocks(cu, x_base >> 1, y_base >> 1, 2, chroma);
    }
}

void Substream::chroma_blocks(const CodingUnit& cu, int x, int y, int log2_size, Chroma chroma) {
    const int scan = cu.intra && log2_size == 2 ? scan_of_mode(cu.chroma_mode) : SCAN_DIAGONAL;
    const uint8_t flags = uint8_t((cu.intra ? BLOCK_INTRA : 0) | (cu.bypass ? BLOCK_BYPASS : 0));
    const int depth = slice.sps.bit_depth_chroma;
    if (chroma.cb) residual_coding(x, y, log2_size, 1, scan, chroma_qp(qp_y_, slice.header.cb_qp_offset, depth), flags);
    if (chroma.cr) residual_coding(x, y, log2_size, 2, scan, chroma_qp(qp_y_, slice.header.cr_qp_offset, depth), flags);
}

void Substream::cu_qp_delta() {
    qp_delta_coded_ = true;
    int value = 0;
    while (value < 5 && decision(CU_QP_DELTA_ABS + (value > 0))) ++value;
    if (value == 5) {
        int exponent = 0;
        while (engine_.bypass()) {
            value += 1 << exponent;
            if (++exponent > 7) damaged("cu_qp_delta_abs out of range");
        }
        value += int(engine_.bypass_bits(exponent));
    }
    if (value) value = engine_.signed_by_bypass(value);
    const int half_offset = 3 * (slice.sps.bit_depth_luma - 8);
    if (value < -(26 + half_offset) || value > 25 + half_offset) damaged("cu_qp_delta out of range");
    qp_y_ = luma_qp(predicted_qp_, value, slice.sps.bit_depth_luma);
}

}  // namespace edgecvar::hevc
