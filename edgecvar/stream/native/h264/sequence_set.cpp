// Sequence parameter sets (ITU-T H.264, 7.3.2.1.1, 7.4.2.1, Annex A, Annex E).
#include "h264/sequence_set.h"

#include <algorithm>
#include <iterator>

#include "h264/scaling_lists.h"
#include "range.h"

namespace edgecvar::h264 {

namespace {

constexpr uint32_t MAX_SAMPLES = 16384;          // a side
constexpr uint64_t MAX_REFERENCED = 16 * 36864;  // macroblocks: all references that MaxFS of level 5.2 may have

// Table A-1, MaxDpbMbs by level_idc.
struct LevelLimit {
    int level_idc, max_dpb_mbs;
};
constexpr LevelLimit LEVELS[] = {{10, 396},    {11, 900},    {13, 2376},  {20, 2376},  {21, 4752},
                                 {30, 8100},   {31, 18000},  {32, 20480}, {41, 32768}, {42, 34816},
                                 {50, 110400}, {52, 184320}, {62, 696320}};

bool has_chroma_format(int profile_idc) {
    static constexpr int PROFILES[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};  // 7.3.2.1.1
    return std::find(std::begin(PROFILES), std::end(PROFILES), profile_idc) != std::end(PROFILES);
}

void skip_hrd(BitReader& reader) {  // E.1.2
    const uint32_t count = at_most(reader.ue(), 31, "cpb_cnt_minus1") + 1;
    reader.skip(8);
    for (uint32_t i = 0; i < count; ++i) {
        reader.ue();
        reader.ue();
        reader.skip(1);
    }
    reader.skip(20);
}

void read_vui(BitReader& reader, Sps& sps) {  // E.1.1
    if (reader.flag() && reader.bits(8) == 255) reader.skip(32);  // Extended_SAR
    if (reader.flag()) reader.skip(1);                            // overscan
    if (reader.flag()) {                                          // video_signal_type
        reader.skip(4);
        if (reader.flag()) reader.skip(24);
    }
    if (reader.flag()) {  // chroma_loc_info
        reader.ue();
        reader.ue();
    }
    if (reader.flag()) reader.skip(65);  // timing_info
    const bool nal_hrd = reader.flag();
    if (nal_hrd) skip_hrd(reader);
    const bool vcl_hrd = reader.flag();
    if (vcl_hrd) skip_hrd(reader);
    if (nal_hrd || vcl_hrd) reader.skip(1);  // low_delay_hrd_flag
    reader.skip(1);                          // pic_struct_present_flag
    if (!reader.flag()) return;
    reader.skip(1);  // motion_vectors_over_pic_boundaries_flag
    for (int i = 0; i < 4; ++i) reader.ue();
    const uint32_t reorder = reader.ue(), buffering = reader.ue();
    if (reader.overrun() || reorder > buffering || buffering > 16) return;
    sps.bitstream_restriction = true;
    sps.max_num_reorder_frames = int(reorder);
}

void read_format(BitReader& reader, Sps& sps) {
    sps.scaling = flat_lists();
    if (sps.profile_idc == 144) throw Unsupported("profile 144, withdrawn");
    if (!has_chroma_format(sps.profile_idc)) return;
    sps.chroma_format_idc = int(at_most(reader.ue(), 3, "chroma_format_idc"));
    if (sps.chroma_format_idc == 3) throw Unsupported(reader.flag() ? "separate colour planes" : "4:4:4");
    if (sps.chroma_format_idc == 2) throw Unsupported("4:2:2");
    sps.bit_depth_luma = 8 + int(at_most(reader.ue(), 6, "bit_depth_luma_minus8"));
    sps.bit_depth_chroma = 8 + int(at_most(reader.ue(), 6, "bit_depth_chroma_minus8"));
    if (sps.chroma_format_idc == 0) sps.bit_depth_chroma = sps.bit_depth_luma;
    if (sps.bit_depth_luma > 10) throw Unsupported("more than 10 bit");
    if (sps.bit_depth_luma != sps.bit_depth_chroma) throw Unsupported("luma and chroma of different bit depth");
    sps.transform_bypass = reader.flag();
    sps.has_scaling = reader.flag();
    if (sps.has_scaling) sps.scaling = read_scaling_lists(reader, default_lists(), true);
}

void read_order_count(BitReader& reader, Sps& sps) {
    sps.order_position = reader.position();
    sps.log2_max_frame_num = 4 + int(at_most(reader.ue(), 12, "log2_max_frame_num_minus4"));
    sps.poc_type = int(at_most(reader.ue(), 2, "pic_order_cnt_type"));
    if (sps.poc_type == 0) {
        sps.log2_max_poc_lsb = 4 + int(at_most(reader.ue(), 12, "log2_max_pic_order_cnt_lsb_minus4"));
    } else if (sps.poc_type == 1) {
        sps.delta_pic_order_always_zero = reader.flag();
        sps.offset_for_non_ref_pic = reader.se();
        sps.offset_for_top_to_bottom = reader.se();
        const uint32_t count = at_most(reader.ue(), 255, "num_ref_frames_in_pic_order_cnt_cycle");
        for (uint32_t i = 0; i < count; ++i) sps.offset_for_ref_frame.push_back(reader.se());
    }
}

void read_size(BitReader& reader, Sps& sps) {
    const uint64_t width = uint64_t(reader.ue()) + 1, height = uint64_t(reader.ue()) + 1;
    if (width * 16 > MAX_SAMPLES || height * 16 > MAX_SAMPLES || width * height > MAX_MACROBLOCKS) {
        throw Damage("size " + std::to_string(width * 16) + "x" + std::to_string(height * 16));
    }
    if (width * height * uint64_t(sps.max_num_ref_frames) > MAX_REFERENCED) {
        throw Damage(std::to_string(sps.max_num_ref_frames) + " references of " + std::to_string(width * 16) + "x" +
                     std::to_string(height * 16));
    }
    sps.mb_width = int(width);
    sps.mb_height = int(height);
    sps.coded_width = 16 * sps.mb_width;
    sps.coded_height = 16 * sps.mb_height;
    if (!reader.flag()) throw Unsupported("interlaced coding");
    sps.direct_8x8_inference = reader.flag();
    if (!reader.flag()) return;
    const int unit = sps.chroma_format_idc == 1 ? 2 : 1;  // CropUnitX, CropUnitY
    int* const sides[] = {&sps.crop_left, &sps.crop_right, &sps.crop_top, &sps.crop_bottom};
    for (int* side : sides) *side = unit * int(at_most(reader.ue(), MAX_SAMPLES, "frame_crop_offset"));
    if (sps.crop_left + sps.crop_right >= 16 * sps.mb_width || sps.crop_top + sps.crop_bottom >= 16 * sps.mb_height) {
        throw Damage("cropping leaves nothing");
    }
}

}  // namespace

void read_sequence_set(BitReader& reader, Sps& sps) {
    sps.profile_idc = int(reader.bits(8));
    sps.constraint_flags = int(reader.bits(8));
    sps.level_idc = int(reader.bits(8));
    sps.id = int(at_most(reader.ue(), 31, "seq_parameter_set_id"));
    read_format(reader, sps);
    read_order_count(reader, sps);
    sps.max_num_ref_frames = int(at_most(reader.ue(), 16, "max_num_ref_frames"));
    sps.gaps_in_frame_num_allowed = reader.flag();
    read_size(reader, sps);
    const bool vui = reader.flag();
    if (reader.overrun()) throw Damage("sequence parameter set breaks off");
    try {
        if (vui) read_vui(reader, sps);
    } catch (const Damage&) {
        // nothing that decoding needs stands in the VUI, and encoders are known that break it
    }
    sps.max_frame_num = 1 << sps.log2_max_frame_num;
    sps.max_reorder = sps.reorder_limit();
}

int Sps::max_dpb_frames() const {
    int limit = LEVELS[std::size(LEVELS) - 1].max_dpb_mbs;
    for (const LevelLimit& level : LEVELS) {
        if (level_idc <= level.level_idc) {
            limit = level.max_dpb_mbs;
            break;
        }
    }
    if (level_idc == 11 && plain_profile() && (constraint_flags & 0x10)) limit = 396;  // level 1b
    const int frames = limit / std::max(1, mb_width * mb_height);
    return std::clamp(std::max(frames, max_num_ref_frames), 1, 16);
}

int Sps::reorder_limit() const {
    if (poc_type == 2) return 0;
    return bitstream_restriction ? max_num_reorder_frames : max_dpb_frames();
}

}  // namespace edgecvar::h264
