// Sequence and picture parameter sets (ITU-T H.264, 7.3.2.1, 7.3.2.2, 7.4.2, Annex A, Annex E).
#include <algorithm>
#include <cstdint>

#include "headers.h"
#include "range.h"
#include "scan_tables.h"

namespace edgecvar {

namespace {

constexpr uint32_t MAX_SAMPLES = 16384;           // a side
// A few bytes may not ask for much memory, and levels are often stated wrong: 4096x4096 is the largest that hardware
// decodes, and of references all that MaxFS of level 5.2 may have.
constexpr uint32_t MAX_MACROBLOCKS = 65536;
constexpr uint64_t MAX_REFERENCED = 16 * 36864;   // macroblocks
constexpr size_t MAX_SET_BYTES = 1 << 17;         // more than the ids of slice groups of the largest picture take

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

// scaling_list(), 7.3.2.1.1.1; false where the default list is asked for.
template <size_t SIZE>
bool read_scaling_list(BitReader& reader, std::array<uint8_t, SIZE>& list) {
    int last = 8, next = 8;
    for (size_t j = 0; j < SIZE; ++j) {
        if (next != 0) {
            const int delta = within(reader.se(), -128, 127, "delta_scale");
            next = (last + delta + 256) % 256;
            if (j == 0 && next == 0) return false;
        }
        if (next != 0) last = next;
        list[j] = uint8_t(last);
    }
    return true;
}

// Lists that are not present fall back to `base` at the head of a chain, else to the list before (Table 7-2): `base`
// holds the default lists for fall-back rule set A, those of the SPS for B.
ScalingLists read_scaling_lists(BitReader& reader, const ScalingLists& base, bool with_8x8) {
    ScalingLists lists = base;
    for (size_t i = 0; i < 6; ++i) {
        if (!reader.flag()) {
            if (i % 3 != 0) lists.lists4x4[i] = lists.lists4x4[i - 1];
        } else if (!read_scaling_list(reader, lists.lists4x4[i])) {
            std::copy_n(DEFAULT_4X4[i / 3], 16, lists.lists4x4[i].begin());
        }
    }
    for (size_t i = 0; with_8x8 && i < 2; ++i) {
        if (!reader.flag() || read_scaling_list(reader, lists.lists8x8[i])) continue;
        std::copy_n(DEFAULT_8X8[i], 64, lists.lists8x8[i].begin());
    }
    return lists;
}

ScalingLists default_lists() {
    ScalingLists lists;
    for (size_t i = 0; i < 6; ++i) std::copy_n(DEFAULT_4X4[i / 3], 16, lists.lists4x4[i].begin());
    for (size_t i = 0; i < 2; ++i) std::copy_n(DEFAULT_8X8[i], 64, lists.lists8x8[i].begin());
    return lists;
}

ScalingLists flat_lists() {
    ScalingLists lists;
    for (auto& list : lists.lists4x4) list.fill(16);
    for (auto& list : lists.lists8x8) list.fill(16);
    return lists;
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

// All of it up to the VUI into `sps`, whose id is known once Unsupported is thrown.
void read_sequence(BitReader& reader, Sps& sps) {
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
    if (!vui) return;
    try {
        read_vui(reader, sps);
    } catch (const Damage&) {
        // nothing that decoding needs stands in the VUI, and encoders are known that break it
    }
}

void read_slice_group_ids(BitReader& reader, Pps& pps) {
    const uint32_t count = at_most(reader.ue(), MAX_MACROBLOCKS - 1, "pic_size_in_map_units_minus1") + 1;
    const unsigned bits = pps.num_slice_groups > 4 ? 3 : pps.num_slice_groups > 2 ? 2 : 1;
    if (reader.overrun() || size_t(count) * bits > reader.end() - reader.position()) {
        throw Damage("picture parameter set breaks off");
    }
    pps.slice_group_id.resize(count);
    for (uint8_t& id : pps.slice_group_id) {
        id = uint8_t(at_most(reader.bits(bits), uint32_t(pps.num_slice_groups - 1), "slice_group_id"));
    }
}

void read_slice_groups(BitReader& reader, Pps& pps) {
    pps.num_slice_groups = int(at_most(reader.ue(), 7, "num_slice_groups_minus1")) + 1;
    if (pps.num_slice_groups == 1) return;
    pps.slice_group_map_type = int(at_most(reader.ue(), 6, "slice_group_map_type"));
    const size_t groups = size_t(pps.num_slice_groups);
    if (pps.slice_group_map_type == 0) {
        for (size_t i = 0; i < groups; ++i) {
            pps.run_length[i] = at_most(reader.ue(), MAX_MACROBLOCKS - 1, "run_length_minus1") + 1;
        }
    } else if (pps.slice_group_map_type == 2) {
        for (size_t i = 0; i + 1 < groups; ++i) {
            pps.top_left[i] = reader.ue();
            pps.bottom_right[i] = at_most(reader.ue(), MAX_MACROBLOCKS - 1, "bottom_right");
            if (pps.top_left[i] > pps.bottom_right[i]) throw Damage("slice group upside down");
        }
    } else if (pps.slice_group_map_type >= 3 && pps.slice_group_map_type <= 5) {
        if (groups != 2) throw Damage("evolving slice groups other than 2");
        pps.slice_group_change_direction = reader.flag();
        pps.slice_group_change_rate = at_most(reader.ue(), MAX_MACROBLOCKS - 1, "slice_group_change_rate_minus1") + 1;
    } else if (pps.slice_group_map_type == 6) {
        read_slice_group_ids(reader, pps);
    }
}

void check_slice_groups(const Sps& sps, const Pps& pps) {
    if (pps.num_slice_groups == 1) return;
    const uint32_t units = uint32_t(sps.mb_width) * uint32_t(sps.mb_height);  // PicSizeInMapUnits
    if (pps.slice_group_map_type == 6 && pps.slice_group_id.size() != units) {
        throw Damage("slice groups for another size of picture");
    }
    if (pps.slice_group_map_type >= 3 && pps.slice_group_map_type <= 5) {
        at_most(pps.slice_group_change_rate, units, "slice_group_change_rate");
    }
    for (size_t i = 0; pps.slice_group_map_type == 2 && i + 1 < size_t(pps.num_slice_groups); ++i) {
        at_most(pps.bottom_right[i], units - 1, "bottom_right");
    }
}

void read_transform_part(BitReader& reader, const Sps& sps, Pps& pps) {
    pps.scaling = sps.scaling;
    // some encoders leave bytes behind a set of a profile that has no such part
    const bool plain_profile = sps.profile_idc == 66 || sps.profile_idc == 77 || sps.profile_idc == 88;
    if (!reader.more_data() || (plain_profile && (sps.constraint_flags & 0xE0))) return;
    pps.transform_8x8 = reader.flag();
    if (reader.flag()) {
        pps.scaling = read_scaling_lists(reader, sps.has_scaling ? sps.scaling : default_lists(), pps.transform_8x8);
    }
    pps.chroma_qp_offset[1] = within(reader.se(), -12, 12, "second_chroma_qp_index_offset");
}

// Without an SPS the part that every profile has.
Pps read_picture_set(const Payload& payload, const Sps* sps) {
    BitReader reader(payload);
    Pps pps;
    pps.id = int(at_most(reader.ue(), 255, "pic_parameter_set_id"));
    pps.sps_id = int(at_most(reader.ue(), 31, "seq_parameter_set_id"));
    pps.cabac = reader.flag();
    pps.pic_order_present = reader.flag();
    read_slice_groups(reader, pps);
    for (int& count : pps.num_ref_idx_default) count = int(at_most(reader.ue(), 31, "num_ref_idx_default_active")) + 1;
    pps.weighted_pred = reader.flag();
    pps.weighted_bipred_idc = int(at_most(reader.bits(2), 2, "weighted_bipred_idc"));
    pps.qp = 26 + within(reader.se(), -26 - 12, 25, "pic_init_qp_minus26");
    within(reader.se(), -26, 25, "pic_init_qs_minus26");
    pps.chroma_qp_offset[0] = pps.chroma_qp_offset[1] = within(reader.se(), -12, 12, "chroma_qp_index_offset");
    pps.deblocking_control = reader.flag();
    pps.constrained_intra_pred = reader.flag();
    pps.redundant_pic_cnt_present = reader.flag();
    if (sps) {
        check_slice_groups(*sps, pps);
        read_transform_part(reader, *sps, pps);
    }
    if (reader.overrun()) throw Damage("picture parameter set breaks off");
    return pps;
}

}  // namespace

int Sps::max_dpb_frames() const {
    int limit = LEVELS[std::size(LEVELS) - 1].max_dpb_mbs;
    for (const LevelLimit& level : LEVELS) {
        if (level_idc <= level.level_idc) {
            limit = level.max_dpb_mbs;
            break;
        }
    }
    const bool plain_profile = profile_idc == 66 || profile_idc == 77 || profile_idc == 88;
    if (level_idc == 11 && plain_profile && (constraint_flags & 0x10)) limit = 396;  // level 1b
    const int frames = limit / std::max(1, mb_width * mb_height);
    return std::clamp(std::max(frames, max_num_ref_frames), 1, 16);
}

int Sps::max_reorder() const {
    if (poc_type == 2) return 0;
    return bitstream_restriction ? max_num_reorder_frames : max_dpb_frames();
}

void ParameterSets::read_sps(const Payload& payload) {
    if (payload.size > MAX_SET_BYTES) throw Damage("sequence parameter set too long");
    BitReader reader(payload);
    Sps sps;
    std::string reason;
    try {
        read_sequence(reader, sps);
    } catch (const Unsupported& feature) {
        reason = feature.what();
    }
    const size_t id = size_t(sps.id);
    std::vector<uint8_t> bytes(payload.bytes.begin(), payload.bytes.begin() + std::ptrdiff_t(payload.size));
    if (bytes != sps_bytes_[id]) {
        for (auto entry = pps_.begin(); entry != pps_.end();) {
            entry = entry->second->sps_id == sps.id ? pps_.erase(entry) : std::next(entry);
        }
        sps_bytes_[id] = std::move(bytes);
        sps_[id] = reason.empty() ? std::make_shared<const Sps>(std::move(sps)) : nullptr;
        unsupported_[id] = reason;
    }
    if (!reason.empty()) throw Unsupported(reason);
}

void ParameterSets::read_pps(const Payload& payload) {
    if (payload.size > MAX_SET_BYTES) throw Damage("picture parameter set too long");
    const int id = read_picture_set(payload, nullptr).id;
    const auto end = payload.bytes.begin() + std::ptrdiff_t(payload.size);
    Payload& kept = pps_payloads_[id];
    if (kept.size == payload.size && std::equal(payload.bytes.begin(), end, kept.bytes.begin())) return;
    kept.size = payload.size;
    kept.bytes.assign(payload.bytes.begin(), end);
    kept.bytes.resize(payload.size + Payload::PADDING, 0);
    pps_.erase(id);
}

std::shared_ptr<const Pps> ParameterSets::resolved(int id) {
    const auto known = pps_.find(id);
    if (known != pps_.end()) return known->second;
    const auto payload = pps_payloads_.find(id);
    if (payload == pps_payloads_.end()) throw Damage("picture parameter set " + std::to_string(id) + " did not come");
    const size_t sps_id = size_t(read_picture_set(payload->second, nullptr).sps_id);
    if (!unsupported_[sps_id].empty()) throw Unsupported(unsupported_[sps_id]);
    if (!sps_[sps_id]) throw Damage("sequence parameter set " + std::to_string(sps_id) + " did not come");
    return pps_[id] = std::make_shared<const Pps>(read_picture_set(payload->second, sps_[sps_id].get()));
}

}  // namespace edgecvar
