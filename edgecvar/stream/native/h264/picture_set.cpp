// Picture parameter sets (ITU-T H.264, 7.3.2.2, 7.4.2.2).
#include "h264/picture_set.h"

#include "h264/scaling_lists.h"
#include "h264/sequence_set.h"
#include "range.h"

namespace edgecvar::h264 {

namespace {

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
    if (!reader.more_data() || (sps.plain_profile() && (sps.constraint_flags & 0xE0))) return;
    pps.transform_8x8 = reader.flag();
    if (reader.flag()) {
        pps.scaling = read_scaling_lists(reader, sps.has_scaling ? sps.scaling : default_lists(), pps.transform_8x8);
    }
    pps.chroma_qp_offset[1] = within(reader.se(), -12, 12, "second_chroma_qp_index_offset");
}

}  // namespace

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

}  // namespace edgecvar::h264
