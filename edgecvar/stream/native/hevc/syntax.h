// What parameter sets and slice headers say, in the standard's own names (ITU-T H.265, 7.4.3 and 7.4.7).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "references.h"
#include "sequence.h"

namespace edgecvar::hevc {

constexpr int MOST_REFERENCES = 16;  // of a list, of a picture set, of a decoded picture buffer

// Scaling lists after prediction and fall-back (7.3.4, Tables 7-5 and 7-6), in up-right diagonal order as transmitted. Of
// 32x32 only matrices 0 (intra Y) and 3 (inter Y) count.
struct ScalingLists {
    std::array<std::array<std::array<uint8_t, 64>, 6>, 4> lists{};  // by sizeId and matrixId; 4x4 has 16 entries
    std::array<std::array<uint8_t, 6>, 2> dc{};  // of 16x16 and 32x32
};

// One direction of a short-term reference picture set: nearest first, as S0 and S1 of 7.4.8 are.
struct ShortTermPicture {
    int32_t delta_poc = 0;  // of the reference minus that of the current picture
    bool used = false;  // by the current picture
};

struct ShortTermSet {
    std::vector<ShortTermPicture> before, after;  // S0 (negative delta_poc) and S1
};

struct Sps : Sequence {
    int id = 0, vps_id = 0;
    int max_sub_layers = 1;
    int log2_max_poc_lsb = 4;
    int max_dec_pic_buffering = 1;  // of the highest sub-layer, sps_max_dec_pic_buffering_minus1 + 1
    int min_cb_log2 = 3, ctb_log2 = 4;  // MinCbLog2SizeY, CtbLog2SizeY (4..6)
    int min_tb_log2 = 2, max_tb_log2 = 5;
    int max_transform_depth_inter = 0, max_transform_depth_intra = 0;
    bool scaling_list_enabled = false;
    ScalingLists scaling{};  // the SPS's own, or the default ones
    bool amp_enabled = false, sao_enabled = false;
    bool pcm_enabled = false;
    int pcm_bit_depth_luma = 8, pcm_bit_depth_chroma = 8, pcm_min_cb_log2 = 3, pcm_max_cb_log2 = 3;
    std::vector<ShortTermSet> short_term_sets;  // at most 64
    bool long_term_present = false;  // long_term_ref_pics_present_flag
    std::vector<int> long_term_poc_lsb;  // lt_ref_pic_poc_lsb_sps
    std::vector<bool> long_term_used;  // used_by_curr_pic_lt_sps_flag
    bool temporal_mvp_enabled = false, strong_intra_smoothing = false;
    size_t id_position = 0;  // bits from the start of the payload to sps_seq_parameter_set_id,
    size_t window_position = 0;  // to conformance_window_flag
    size_t window_end = 0;  // and to what follows the window: bit_depth_luma_minus8
    size_t ordering_position = 0;  // to sps_sub_layer_ordering_info_present_flag
    size_t ordering_end = 0;  // and to what follows the ordering information
    size_t references_position = 0;  // to num_short_term_ref_pic_sets
    size_t references_end = 0;  // and to what follows long-term pictures: sps_temporal_mvp_enabled_flag

    int width_in_ctbs() const { return (coded_width + (1 << ctb_log2) - 1) >> ctb_log2; }
    int height_in_ctbs() const { return (coded_height + (1 << ctb_log2) - 1) >> ctb_log2; }
    // How many pictures of this size a decoder of level 6.2 keeps, the current one among them (A.4.2).
    int most_pictures() const;
};

// Resolved against its SPS: the conversions of 6.5.1 are there.
struct Pps {
    int id = 0, sps_id = 0;
    bool dependent_slices_enabled = false, output_flag_present = false;
    int num_extra_slice_header_bits = 0;
    bool sign_data_hiding = false, cabac_init_present = false;
    int num_ref_idx_default[2] = {1, 1};
    int init_qp = 26;  // 26 + init_qp_minus26
    bool transform_skip_enabled = false;
    bool cu_qp_delta_enabled = false;
    int diff_cu_qp_delta_depth = 0;
    int cb_qp_offset = 0, cr_qp_offset = 0;
    bool slice_chroma_qp_offsets_present = false;
    bool weighted_pred = false, weighted_bipred = false;
    bool transquant_bypass_enabled = false;
    bool tiles_enabled = false, entropy_coding_sync = false;
    bool deblocking_override_enabled = false, deblocking_disabled = false, loop_filter_across_slices = false;
    ScalingLists scaling{};  // its own, else the SPS's; flat 16 where none are enabled is not stored
    bool lists_modification_present = false;
    int parallel_merge_log2 = 2;  // Log2ParMrgLevel
    bool slice_header_extension_present = false;

    std::vector<int> column_starts{0}, row_starts{0};  // of tiles, in CTBs; without the end of the picture
    std::vector<int> ctb_raster_to_tile, ctb_tile_to_raster;  // CtbAddrRsToTs, CtbAddrTsToRs
    std::vector<int> tile_id;  // TileId, by address in tile scan
};

struct LongTermPicture {
    int32_t poc = 0;  // PocLsbLt: the least significant bits alone unless `has_msb`
    bool has_msb = false;  // delta_poc_msb_present_flag; `poc` is then pocLt less PicOrderCntVal of the current picture
    bool used = false;
};

// Of a slice segment; a dependent one has all fields of the slice that it belongs to, but for those of its own.
struct SliceHeader {
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<const Pps> pps;
    int nal_type = 0, temporal_id = 0;
    // A segment's own.
    bool first_in_picture = false;  // first_slice_segment_in_pic_flag
    bool dependent = false;
    int segment_address = 0;  // slice_segment_address, CTB address in raster scan
    std::vector<size_t> entry_points;  // where substreams after the first begin, in bytes of the payload
    size_t data_position = 0;  // bits from the start of the payload to the slice segment data
    size_t entries_position = 0;  // to num_entry_point_offsets, where it is or would be,
    size_t entries_end = 0;  // to what follows entry points,
    size_t alignment_position = 0;  // and to byte_alignment()
    // The slice's.
    int slice_address = 0;  // SliceAddrRs: segment_address of its first segment
    bool no_output_of_prior_pics = false;
    SliceType type = SliceType::I;
    bool pic_output = true;
    int poc_lsb = 0;
    ShortTermSet short_term;  // empty for IDR pictures
    std::vector<LongTermPicture> long_term;
    bool temporal_mvp = false;
    bool sao_luma = false, sao_chroma = false;
    int num_ref_idx[2] = {0, 0};  // active entries, 0 for a list that the slice type lacks
    std::vector<int> list_entries[2];  // list_entry_lX where ref_pic_list_modification_flag_lX, else empty
    bool mvd_l1_zero = false, cabac_init = false;
    bool collocated_from_l0 = true;
    int collocated_ref_idx = 0;
    bool explicit_weights = false;  // pred_weight_table is present
    int luma_log2_denom = 0, chroma_log2_denom = 0;
    std::array<std::array<Weight, 32>, 2> weights{};  // chroma offsets as derived (7-56), in units of 8 bit
    int max_merge_candidates = 5;
    int qp = 26;  // SliceQpY
    int cb_qp_offset = 0, cr_qp_offset = 0;  // pps + slice
    bool deblocking_disabled = false;
    size_t type_position = 0;  // bits to what a segment that is not dependent has after its address:
    // slice_reserved_flag and on
    size_t references_position = 0;  // to slice_pic_order_cnt_lsb, where it is or would be,
    size_t references_end = 0;  // and to what follows slice_temporal_mvp_enabled_flag: slice_sao_luma_flag

    bool idr() const { return nal_type == 19 || nal_type == 20; }
    bool irap() const { return nal_type >= 16 && nal_type <= 23; }
    bool rasl() const { return nal_type == 8 || nal_type == 9; }
    bool radl() const { return nal_type == 6 || nal_type == 7; }
    // Sub-layer non-reference pictures of types up to 14 have even numbers (Table 7-1).
    bool sub_layer_reference() const { return nal_type > 14 || nal_type % 2 == 1; }
};

}  // namespace edgecvar::hevc
