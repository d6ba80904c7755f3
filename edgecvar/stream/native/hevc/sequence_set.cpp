// Sequence parameter sets (ITU-T H.265, 7.3.2.2, 7.3.3, 7.4.3.2, Annex A).
#include "hevc/sequence_set.h"

#include <algorithm>

#include "hevc/reference_sets.h"
#include "hevc/scaling_lists.h"
#include "range.h"

namespace edgecvar::hevc {

namespace {

constexpr uint64_t MAX_SAMPLES = 35651584;           // MaxLumaPs of levels 6 to 6.2 (Table A.8)
constexpr uint32_t MAX_SIDE = 16888;                 // the square root of 8 times that (A.4.1)
constexpr int LAST_PLAIN_PROFILE = 3;                // Main Still Picture

void skip_sub_layers(BitReader& reader, uint32_t max_sub_layers_minus1) {
    uint32_t profiles = 0, levels = 0;
    for (uint32_t i = 0; i < max_sub_layers_minus1; ++i) {
        profiles += reader.flag();
        levels += reader.flag();
    }
    if (max_sub_layers_minus1 > 0) reader.skip(2 * (8 - max_sub_layers_minus1));
    reader.skip(88 * profiles + 8 * levels);
}

void read_profile(BitReader& reader, Sps& sps, uint32_t max_sub_layers_minus1, std::string& foreign) {  // 7.3.3
    const uint32_t space = reader.bits(2);
    if (space != 0) foreign = "profile space " + std::to_string(space);
    reader.skip(1);  // general_tier_flag
    sps.profile_idc = int(reader.bits(5));
    reader.skip(32 + 48);
    sps.level_idc = int(reader.bits(8));
    skip_sub_layers(reader, max_sub_layers_minus1);
}

void read_window(BitReader& reader, Sps& sps) {
    sps.window_position = reader.position();
    if (reader.flag()) {  // conformance_window_flag
        const int unit = sps.chroma_format_idc == 1 ? 2 : 1;  // SubWidthC, SubHeightC
        int* const sides[] = {&sps.crop_left, &sps.crop_right, &sps.crop_top, &sps.crop_bottom};
        for (int* side : sides) *side = unit * int(at_most(reader.ue(), MAX_SIDE, "conf_win_offset"));
    }
    sps.window_end = reader.position();
    if (sps.crop_left + sps.crop_right >= sps.coded_width || sps.crop_top + sps.crop_bottom >= sps.coded_height) {
        throw Damage("cropping leaves nothing");
    }
}

void read_format(BitReader& reader, Sps& sps) {
    sps.chroma_format_idc = int(at_most(reader.ue(), 3, "chroma_format_idc"));
    if (sps.chroma_format_idc == 3) throw Unsupported(reader.flag() ? "separate colour planes" : "4:4:4");
    if (sps.chroma_format_idc == 2) throw Unsupported("4:2:2");
    const uint32_t width = reader.ue(), height = reader.ue();
    if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || uint64_t(width) * height > MAX_SAMPLES) {
        throw Damage("size " + std::to_string(width) + "x" + std::to_string(height));
    }
    sps.coded_width = int(width);
    sps.coded_height = int(height);
    read_window(reader, sps);
    sps.bit_depth_luma = 8 + int(at_most(reader.ue(), 8, "bit_depth_luma_minus8"));
    sps.bit_depth_chroma = 8 + int(at_most(reader.ue(), 8, "bit_depth_chroma_minus8"));
    if (sps.chroma_format_idc == 0) sps.bit_depth_chroma = sps.bit_depth_luma;
    const int depth = std::max(sps.bit_depth_luma, sps.bit_depth_chroma);
    if (depth > 10) throw Unsupported("bit depth " + std::to_string(depth));
}

}  // namespace

int Sps::most_pictures() const {
    constexpr uint64_t BUFFERED = 6 * MAX_SAMPLES;  // maxDpbPicBuf pictures of the largest size; smaller may be more
    const uint64_t samples = uint64_t(coded_width) * uint64_t(coded_height);
    return int(std::min(BUFFERED / std::max<uint64_t>(samples, 1), uint64_t(MOST_REFERENCES)));
}

namespace {

void read_ordering(BitReader& reader, Sps& sps, uint32_t max_sub_layers_minus1) {
    sps.ordering_position = reader.position();
    const uint32_t times = reader.flag() ? max_sub_layers_minus1 + 1 : 1;
    for (uint32_t i = 0; i < times; ++i) {
        sps.max_dec_pic_buffering = int(at_most(reader.ue(), MOST_REFERENCES - 1, "sps_max_dec_pic_buffering_minus1")) +
                                    1;
        sps.max_reorder = int(at_most(reader.ue(), MOST_REFERENCES - 1, "sps_max_num_reorder_pics"));
        reader.ue();  // sps_max_latency_increase_plus1
    }
    sps.ordering_end = reader.position();
    // encoders are known that reorder more than they say is kept
    sps.max_dec_pic_buffering = std::max(sps.max_dec_pic_buffering, sps.max_reorder + 1);
    if (sps.max_dec_pic_buffering > sps.most_pictures()) {
        throw Damage(std::to_string(sps.max_dec_pic_buffering) + " pictures of " + std::to_string(sps.coded_width) +
                     "x" + std::to_string(sps.coded_height));
    }
}

void read_block_sizes(BitReader& reader, Sps& sps) {
    sps.min_cb_log2 = 3 + int(at_most(reader.ue(), 3, "log2_min_luma_coding_block_size_minus3"));
    sps.ctb_log2 = sps.min_cb_log2 + int(at_most(reader.ue(), 3, "log2_diff_max_min_luma_coding_block_size"));
    within(sps.ctb_log2, 4, 6, "CtbLog2SizeY");
    sps.min_tb_log2 = 2 + int(at_most(reader.ue(), 3, "log2_min_luma_transform_block_size_minus2"));
    sps.max_tb_log2 = sps.min_tb_log2 + int(at_most(reader.ue(), 3, "log2_diff_max_min_luma_transform_block_size"));
    within(sps.min_tb_log2, 2, sps.min_cb_log2 - 1, "MinTbLog2SizeY");
    within(sps.max_tb_log2, sps.min_tb_log2, std::min(sps.ctb_log2, 5), "MaxTbLog2SizeY");
    const uint32_t deepest = uint32_t(sps.ctb_log2 - sps.min_tb_log2);
    sps.max_transform_depth_inter = int(at_most(reader.ue(), deepest, "max_transform_hierarchy_depth_inter"));
    sps.max_transform_depth_intra = int(at_most(reader.ue(), deepest, "max_transform_hierarchy_depth_intra"));
    const int mask = (1 << sps.min_cb_log2) - 1;
    if ((sps.coded_width & mask) != 0 || (sps.coded_height & mask) != 0) {
        throw Damage("size " + std::to_string(sps.coded_width) + "x" + std::to_string(sps.coded_height) +
                     " in coding blocks of " + std::to_string(mask + 1));
    }
}

void read_pcm(BitReader& reader, Sps& sps) {
    sps.pcm_enabled = reader.flag();
    if (!sps.pcm_enabled) return;
    sps.pcm_bit_depth_luma = within(int(reader.bits(4)) + 1, 1, sps.bit_depth_luma, "PcmBitDepthY");
    sps.pcm_bit_depth_chroma = int(reader.bits(4)) + 1;
    if (sps.chroma_format_idc != 0) within(sps.pcm_bit_depth_chroma, 1, sps.bit_depth_chroma, "PcmBitDepthC");
    const int largest = std::min(sps.ctb_log2, 5);
    const int smallest = 3 + int(at_most(reader.ue(), 2, "log2_min_pcm_luma_coding_block_size_minus3"));
    const int more = int(at_most(reader.ue(), 2, "log2_diff_max_min_pcm_luma_coding_block_size"));
    sps.pcm_min_cb_log2 = within(smallest, std::min(sps.min_cb_log2, 5), largest, "Log2MinIpcmCbSizeY");
    sps.pcm_max_cb_log2 = within(smallest + more, smallest, largest, "Log2MaxIpcmCbSizeY");
    reader.skip(1);  // pcm_loop_filter_disabled_flag
}

void read_references(BitReader& reader, Sps& sps) {
    const uint32_t sets = at_most(reader.ue(), 64, "num_short_term_ref_pic_sets");
    for (uint32_t i = 0; i < sets; ++i) {
        sps.short_term_sets.push_back(read_short_term_set(reader, sps.short_term_sets, false));
    }
    sps.long_term_present = reader.flag();
    if (!sps.long_term_present) return;
    const uint32_t count = at_most(reader.ue(), 32, "num_long_term_ref_pics_sps");
    for (uint32_t i = 0; i < count; ++i) {
        sps.long_term_poc_lsb.push_back(int(reader.bits(unsigned(sps.log2_max_poc_lsb))));
        sps.long_term_used.push_back(reader.flag());
    }
}

void refuse_range_extension(BitReader& reader) {  // 7.3.2.2.2
    static constexpr const char* TOOLS[] = {
        "transform_skip_rotation", "transform_skip_context", "implicit_rdpcm",
        "explicit_rdpcm",          "extended_precision",     "intra_smoothing_disabled",
        "high_precision_offsets",  "persistent_rice",        "cabac_bypass_alignment"};
    for (const char* tool : TOOLS) {
        if (reader.flag()) throw Unsupported("range extensions (" + std::string(tool) + ")");
    }
}

void refuse_extensions(BitReader& reader) {
    if (!reader.flag()) return;
    const bool range = reader.flag(), layers = reader.flag(), depth = reader.flag(), screen = reader.flag();
    reader.skip(4);  // sps_extension_4bits: what follows is to be ignored
    if (depth) throw Unsupported("3D extensions");
    if (range) refuse_range_extension(reader);
    if (layers) reader.skip(1);  // inter_view_mv_vert_constraint_flag: of layers that are left out
    if (screen && reader.bits(5) != 0) throw Unsupported("screen content extensions");
}

// What says which set it is; sps_max_sub_layers_minus1.
uint32_t read_names(BitReader& reader, Sps& sps, std::string& foreign) {
    sps.vps_id = int(reader.bits(4));
    const uint32_t max_sub_layers_minus1 = at_most(reader.bits(3), 6, "sps_max_sub_layers_minus1");
    reader.skip(1);  // sps_temporal_id_nesting_flag
    read_profile(reader, sps, max_sub_layers_minus1, foreign);
    sps.id_position = reader.position();
    sps.id = int(at_most(reader.ue(), 15, "sps_seq_parameter_set_id"));
    return max_sub_layers_minus1;
}

// Nothing that decoding needs stands in the VUI, and where it is broken the flags behind it cannot be found.
void read_rest(BitReader& reader, Sps& sps, uint32_t max_sub_layers_minus1) {
    try {
        if (reader.flag()) read_vui(reader, max_sub_layers_minus1, sps);
        if (reader.overrun()) throw Damage("VUI breaks off");
    } catch (const Damage&) {
        if (sps.profile_idc > LAST_PLAIN_PROFILE) throw;
        sps.fields = false;
        return;
    }
    refuse_extensions(reader);
}

}  // namespace

int sequence_set_id(BitReader& reader) {
    Sps sps;
    std::string foreign;
    read_names(reader, sps, foreign);
    return sps.id;
}

void read_sequence_set(BitReader& reader, Sps& sps) {
    std::string foreign;
    const uint32_t max_sub_layers_minus1 = read_names(reader, sps, foreign);
    if (!foreign.empty()) throw Unsupported(foreign);
    read_format(reader, sps);
    sps.log2_max_poc_lsb = 4 + int(at_most(reader.ue(), 12, "log2_max_pic_order_cnt_lsb_minus4"));
    read_ordering(reader, sps, max_sub_layers_minus1);
    sps.max_sub_layers = int(max_sub_layers_minus1) + 1;
    read_block_sizes(reader, sps);
    sps.scaling_list_enabled = reader.flag();
    if (sps.scaling_list_enabled) sps.scaling = reader.flag() ? read_scaling_lists(reader) : default_lists();
    sps.amp_enabled = reader.flag();
    sps.sao_enabled = reader.flag();
    read_pcm(reader, sps);
    sps.references_position = reader.position();
    read_references(reader, sps);
    sps.references_end = reader.position();
    sps.temporal_mvp_enabled = reader.flag();
    sps.strong_intra_smoothing = reader.flag();
    if (reader.overrun()) throw Damage("sequence parameter set breaks off");
    read_rest(reader, sps, max_sub_layers_minus1);
}

}  // namespace edgecvar::hevc
