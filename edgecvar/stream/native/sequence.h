// What a sequence parameter set says of its pictures, whatever the standard.
#pragma once

namespace edgecvar {

struct Sequence {
    int profile_idc = 0, level_idc = 0;
    int coded_width = 0, coded_height = 0;                             // in luma samples
    int crop_left = 0, crop_top = 0, crop_right = 0, crop_bottom = 0;  // in luma samples
    int chroma_format_idc = 1;                                         // 0 (4:0:0) or 1 (4:2:0)
    int bit_depth_luma = 8, bit_depth_chroma = 8;
    int max_frame_num = 0;  // MaxFrameNum of H.264, 0 of H.265
    bool fields = false;    // its pictures are fields, as their frames are not coded (field_seq_flag of H.265)
    int max_reorder = 0;    // the most pictures that precede one in decoding order and follow it in output order
};

}  // namespace edgecvar
