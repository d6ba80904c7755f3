// What parameter sets and slice headers say, in the standard's own names (ITU-T H.264, 7.4.2 and 7.4.3).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "references.h"
#include "sequence.h"

namespace edgecvar::h264 {

// Scaling lists after the fall-back rules of Table 7-2, in zig-zag order as transmitted (Flat_16 where none are used).
struct ScalingLists {
    std::array<std::array<uint8_t, 16>, 6> lists4x4;  // Intra Y, Cb, Cr, Inter Y, Cb, Cr
    std::array<std::array<uint8_t, 64>, 2> lists8x8;  // Intra Y, Inter Y
};

struct Sps : Sequence {
    int constraint_flags = 0, id = 0;
    bool transform_bypass = false;             // qpprime_y_zero_transform_bypass_flag
    bool has_scaling = false;                  // seq_scaling_matrix_present_flag
    ScalingLists scaling{};
    size_t order_position = 0;                 // bits from the start of the payload to log2_max_frame_num_minus4
    int log2_max_frame_num = 4;
    int poc_type = 0, log2_max_poc_lsb = 4;
    bool delta_pic_order_always_zero = false;
    int offset_for_non_ref_pic = 0, offset_for_top_to_bottom = 0;
    std::vector<int32_t> offset_for_ref_frame; // at most 255
    int max_num_ref_frames = 0;                // at most 16
    bool gaps_in_frame_num_allowed = false;
    int mb_width = 0, mb_height = 0;           // in macroblocks, of a frame
    bool direct_8x8_inference = false;
    bool bitstream_restriction = false;
    int max_num_reorder_frames = 0;

    // Baseline, Main and Extended.
    bool plain_profile() const { return profile_idc == 66 || profile_idc == 77 || profile_idc == 88; }

    // MaxDpbFrames of A.3.1 for this level and size, at least max_num_ref_frames, 1..16.
    int max_dpb_frames() const;

    // The most pictures that precede one in decoding order and follow it in output order: none with type 2 (8.2.1.3), else
    // what is stated, else what the buffer's size allows.
    int reorder_limit() const;
};

struct Pps {
    int id = 0, sps_id = 0;
    bool cabac = false;                        // entropy_coding_mode_flag
    bool pic_order_present = false;            // bottom_field_pic_order_in_frame_present_flag
    int num_slice_groups = 1;                  // 1..8
    int slice_group_map_type = 0;
    std::array<uint32_t, 8> run_length{};      // run_length_minus1 + 1, type 0
    std::array<uint32_t, 8> top_left{}, bottom_right{};  // type 2
    bool slice_group_change_direction = false; // types 3 to 5
    uint32_t slice_group_change_rate = 1;
    std::vector<uint8_t> slice_group_id;       // type 6, one a map unit
    int num_ref_idx_default[2] = {1, 1};       // num_ref_idx_lX_default_active_minus1 + 1, at most 32
    bool weighted_pred = false;
    int weighted_bipred_idc = 0;
    int qp = 26;                               // 26 + pic_init_qp_minus26, may be negative above 8 bit
    int chroma_qp_offset[2] = {0, 0};          // Cb, Cr
    bool deblocking_control = false, constrained_intra_pred = false, redundant_pic_cnt_present = false;
    bool transform_8x8 = false;
    ScalingLists scaling{};                    // resolved against the SPS: Flat_16, the SPS's or its own
};

struct ListModification {
    int idc = 3;         // modification_of_pic_nums_idc 0, 1 or 2
    uint32_t value = 0;  // abs_diff_pic_num_minus1 + 1, or long_term_pic_num
};

struct MarkingCommand {
    int op = 0;          // memory_management_control_operation 1..6
    uint32_t first = 0;  // difference_of_pic_nums_minus1 + 1 | long_term_pic_num | max_long_term_frame_idx_plus1
    uint32_t second = 0; // long_term_frame_idx of operation 3 (of 6 it is `first`)
};

struct SliceHeader {
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<const Pps> pps;
    int nal_ref_idc = 0;
    bool idr = false;
    uint32_t first_mb = 0;
    SliceType type = SliceType::I;
    int frame_num = 0;
    uint32_t idr_pic_id = 0;
    int poc_lsb = 0, delta_poc_bottom = 0;
    int delta_pic_order_cnt[2] = {0, 0};
    int redundant_pic_cnt = 0;
    bool direct_spatial = false;
    int num_ref_idx[2] = {0, 0};               // active entries, 0 for a list that the slice type lacks, at most 32
    std::vector<ListModification> modifications[2];
    bool explicit_weights = false;             // pred_weight_table is present
    int luma_log2_denom = 0, chroma_log2_denom = 0;
    std::array<std::array<Weight, 32>, 2> weights{};  // 2^denominator and 0 where no flag says otherwise
    bool long_term_reference = false;          // long_term_reference_flag, IDR
    bool adaptive_marking = false;
    std::vector<MarkingCommand> marking;
    int cabac_init_idc = 0;
    int qp = 26;                               // SliceQPY
    int disable_deblocking = 0;
    uint32_t slice_group_change_cycle = 0;
    size_t frame_num_position = 0;             // bits from the start of the payload to frame_num,
    size_t qp_position = 0;                    // to what follows dec_ref_pic_marking in an I slice,
    size_t data_position = 0;                  // and to the slice data
};

}  // namespace edgecvar::h264
