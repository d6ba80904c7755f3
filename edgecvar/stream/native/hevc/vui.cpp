// Video usability information, which is stepped over but for one flag (ITU-T H.265, E.2).
#include "hevc/sequence_set.h"
#include "range.h"

namespace edgecvar::hevc {

namespace {

void skip_codes(BitReader& reader, int count) {
    for (int i = 0; i < count; ++i) reader.ue();
}

void skip_sub_layer_hrd(BitReader& reader, uint32_t count, bool sub_pictures) {  // E.2.3
    for (uint32_t i = 0; i < count; ++i) {
        skip_codes(reader, sub_pictures ? 4 : 2);
        reader.skip(1);  // cbr_flag
    }
}

void skip_hrd(BitReader& reader, uint32_t max_sub_layers_minus1) {  // E.2.2
    const bool nal = reader.flag(), vcl = reader.flag();
    bool sub_pictures = false;
    if (nal || vcl) {
        sub_pictures = reader.flag();
        if (sub_pictures) reader.skip(19);
        reader.skip(8);
        if (sub_pictures) reader.skip(4);  // cpb_size_du_scale
        reader.skip(15);
    }
    for (uint32_t i = 0; i <= max_sub_layers_minus1; ++i) {
        const bool fixed_in_general = reader.flag();
        const bool fixed_in_sequence = fixed_in_general || reader.flag();
        bool low_delay = false;
        if (fixed_in_sequence) {
            reader.ue();  // elemental_duration_in_tc_minus1
        } else {
            low_delay = reader.flag();
        }
        const uint32_t count = low_delay ? 1 : at_most(reader.ue(), 31, "cpb_cnt_minus1") + 1;
        if (nal) skip_sub_layer_hrd(reader, count, sub_pictures);
        if (vcl) skip_sub_layer_hrd(reader, count, sub_pictures);
    }
}

void skip_timing(BitReader& reader, uint32_t max_sub_layers_minus1) {
    reader.skip(64);
    if (reader.flag()) reader.ue();  // vui_num_ticks_poc_diff_one_minus1
    if (reader.flag()) skip_hrd(reader, max_sub_layers_minus1);
}

}  // namespace

void read_vui(BitReader& reader, uint32_t max_sub_layers_minus1, Sps& sps) {
    if (reader.flag() && reader.bits(8) == 255) reader.skip(32);  // sar_width, sar_height
    if (reader.flag()) reader.skip(1);                            // overscan_appropriate_flag
    if (reader.flag()) {                                          // video_signal_type_present_flag
        reader.skip(4);
        if (reader.flag()) reader.skip(24);
    }
    if (reader.flag()) skip_codes(reader, 2);  // chroma_loc_info_present_flag
    reader.skip(1);                            // neutral_chroma_indication_flag
    sps.fields = reader.flag();                // field_seq_flag
    reader.skip(1);                            // frame_field_info_present_flag
    if (reader.flag()) skip_codes(reader, 4);  // default_display_window_flag
    if (reader.flag()) skip_timing(reader, max_sub_layers_minus1);
    if (reader.flag()) {  // bitstream_restriction_flag
        reader.skip(3);
        skip_codes(reader, 5);
    }
}

}  // namespace edgecvar::hevc
