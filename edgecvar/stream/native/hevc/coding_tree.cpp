// Coding tree units, coding quadtrees and coding units (ITU-T H.265, 7.3.8.2 to 7.3.8.5, 8.6.1).
#include <algorithm>

#include "hevc/quantization.h"
#include "hevc/substream.h"

namespace edgecvar::hevc {

namespace {

// A square of an array over min_cb blocks, of which only the right column and the bottom row are ever read again.
template <class T>
void set_edges(std::vector<T>& values, int stride, int x, int y, int size, T value) {
    T* const right = values.data() + size_t(y) * size_t(stride) + x + size - 1;
    T* const bottom = right + (size - 1) * stride;
    for (int i = 0; i < size; ++i) right[i * stride] = bottom[-i] = value;
}

}  // namespace

Substream::Substream(const SliceState& of, LevelBuffer& to)
    : slice(of), levels(to), init_type_(init_type(of.header.type, of.header.cabac_init)), picture_(of.picture),
      qp_group_log2_(of.sps.ctb_log2 - of.pps.diff_cu_qp_delta_depth), qp_y_(of.header.qp) {}

void Substream::coding_tree_unit(int x, int y, bool sao_left, bool sao_up) {
    left_unit_ = slice.available(x, y, x - 1, y);
    unit_above_ = slice.available(x, y, x, y - 1);
    if (slice.header.sao_luma || slice.header.sao_chroma) sao(sao_left, sao_up);
    coding_quadtree(x, y, slice.sps.ctb_log2, 0);
    if (engine_.position() > end_) damaged("slice data ends too early");
}

void Substream::sao(bool left, bool up) {
    if (left && decision(SAO_MERGE_FLAG)) return;
    if (up && decision(SAO_MERGE_FLAG)) return;
    int type = 0;
    if (slice.header.sao_luma) sao_component(0, type);
    if (!slice.header.sao_chroma || slice.sps.chroma_format_idc == 0) return;
    type = 0;
    sao_component(1, type);
    sao_component(2, type);
}

void Substream::sao_component(int plane, int& type) {
    constexpr int BAND = 1;
    if (plane < 2) type = decision(SAO_TYPE_IDX) ? 1 + engine_.bypass() : 0;
    if (type == 0) return;
    const int depth = plane == 0 ? slice.sps.bit_depth_luma : slice.sps.bit_depth_chroma;
    const int most = (1 << (std::min(depth, 10) - 5)) - 1;
    int signs = 0;
    for (int i = 0; i < 4; ++i) {
        int offset = 0;
        while (offset < most && engine_.bypass()) ++offset;
        signs += offset != 0;
    }
    if (type == BAND) {
        engine_.bypass_bits(signs + 5);
    } else if (plane < 2) {
        engine_.bypass_bits(2);
    }
}

void Substream::coding_quadtree(int x, int y, int log2_size, int depth) {
    const Sps& sps = slice.sps;
    const int size = 1 << log2_size;
    bool split = log2_size > sps.min_cb_log2;
    if (split && x + size <= sps.coded_width && y + size <= sps.coded_height) split = split_cu_flag(x, y, depth);
    if (log2_size >= qp_group_log2_ && slice.pps.cu_qp_delta_enabled) {
        qp_delta_coded_ = false;
        new_group_ = true;
        group_x_ = x;
        group_y_ = y;
    }
    if (!split) return coding_unit(x, y, log2_size, depth);
    const int half = size >> 1;
    for (int i = 0; i < 4; ++i) {
        const int child_x = x + (i & 1 ? half : 0), child_y = y + (i & 2 ? half : 0);
        if (child_x < sps.coded_width && child_y < sps.coded_height)
            coding_quadtree(child_x, child_y, log2_size - 1, depth + 1);
    }
}

bool Substream::split_cu_flag(int x, int y, int depth) {
    const int log2 = slice.sps.min_cb_log2;
    const uint8_t* own = picture_.units.data() + size_t(y >> log2) * size_t(picture_.cb_width) + (x >> log2);
    const bool left = left_available(x) && (own[-1] & UNIT_DEPTH) > depth;
    const bool above = above_available(y) && (own[-picture_.cb_width] & UNIT_DEPTH) > depth;
    return decision(SPLIT_CU_FLAG + left + above);
}

bool Substream::cu_skip_flag(int x, int y) {
    const int log2 = slice.sps.min_cb_log2;
    const uint8_t* own = picture_.units.data() + size_t(y >> log2) * size_t(picture_.cb_width) + (x >> log2);
    const bool left = left_available(x) && own[-1] & UNIT_SKIPPED;
    const bool above = above_available(y) && own[-picture_.cb_width] & UNIT_SKIPPED;
    return decision(CU_SKIP_FLAG + left + above);
}

void Substream::start_quantization_group() {
    new_group_ = false;
    const int log2 = slice.sps.min_cb_log2, ctb = (1 << slice.sps.ctb_log2) - 1;
    const int8_t* own = picture_.qp.data() + size_t(group_y_ >> log2) * size_t(picture_.cb_width) + (group_x_ >> log2);
    // What is to the left or above within the coding tree block has been parsed, and is of the slice.
    const int left = group_x_ & ctb ? own[-1] : qp_y_;
    const int above = group_y_ & ctb ? own[-picture_.cb_width] : qp_y_;
    predicted_qp_ = (left + above + 1) >> 1;
    qp_y_ = predicted_qp_;
}

void Substream::keep_qp(const CodingUnit& cu) {
    if (slice.pps.diff_cu_qp_delta_depth == 0) return;
    const int log2 = slice.sps.min_cb_log2;
    set_edges(picture_.qp, picture_.cb_width, cu.x >> log2, cu.y >> log2, 1 << (cu.log2_size - log2), int8_t(qp_y_));
}

void Substream::coding_unit(int x, int y, int log2_size, int depth) {
    if (new_group_) start_quantization_group();
    CodingUnit cu;
    cu.x = x;
    cu.y = y;
    cu.log2_size = log2_size;
    const int log2 = slice.sps.min_cb_log2, cb_x = x >> log2, cb_y = y >> log2, cb_size = 1 << (log2_size - log2);
    if (slice.pps.transquant_bypass_enabled) cu.bypass = decision(CU_TRANSQUANT_BYPASS_FLAG);
    bool skipped = false;
    if (slice.header.type != SliceType::I) skipped = cu_skip_flag(x, y);
    const uint8_t unit = uint8_t(depth | (skipped ? UNIT_SKIPPED : 0));
    if (unit) set_edges(picture_.units, picture_.cb_width, cb_x, cb_y, cb_size, unit);
    if (skipped) {
        skipped_unit(cu);
        return keep_qp(cu);
    }
    cu.intra = slice.header.type == SliceType::I || decision(PRED_MODE_FLAG);
    if (!cu.intra || log2_size == slice.sps.min_cb_log2) cu.part_mode = part_mode(cu);
    bool coded = true;
    if (cu.intra) {
        intra_unit(cu);
        coded = !cu.pcm;
    } else if (!inter_units(cu, depth) || cu.part_mode != PartMode::WHOLE) {
        coded = decision(RQT_ROOT_CBF);
    }
    if (coded) {
        cu.max_transform_depth = cu.intra ? slice.sps.max_transform_depth_intra + (cu.part_mode == PartMode::FOUR)
                                          : slice.sps.max_transform_depth_inter;
        transform_tree(cu, x, y, x, y, log2_size, 0, 0, Chroma{true, true});
    }
    keep_qp(cu);
}

PartMode Substream::part_mode(const CodingUnit& cu) {
    if (decision(PART_MODE)) return PartMode::WHOLE;
    if (cu.intra) return PartMode::FOUR;
    const bool rows = decision(PART_MODE + 1);
    if (cu.log2_size == slice.sps.min_cb_log2) {
        if (rows) return PartMode::TWO_ROWS;
        if (cu.log2_size == 3 || decision(PART_MODE + 2)) return PartMode::TWO_COLUMNS;
        return PartMode::FOUR;
    }
    if (!slice.sps.amp_enabled || decision(PART_MODE + 3)) return rows ? PartMode::TWO_ROWS : PartMode::TWO_COLUMNS;
    const bool second = engine_.bypass();
    if (rows) return second ? PartMode::ROWS_DOWN : PartMode::ROWS_UP;
    return second ? PartMode::COLUMNS_RIGHT : PartMode::COLUMNS_LEFT;
}

}  // namespace edgecvar::hevc
