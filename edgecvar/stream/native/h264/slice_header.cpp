// Slice headers (ITU-T H.264, 7.3.3, 7.4.1.2.4, 7.4.3).
#include "h264/headers.h"
#include "range.h"

namespace edgecvar::h264 {

namespace {

constexpr size_t MAX_COMMANDS = 66;

SliceType slice_type_of(uint32_t slice_type) {  // Table 7-6
    switch (at_most(slice_type, 9, "slice_type") % 5) {
        case 0: return SliceType::P;
        case 1: return SliceType::B;
        case 2: return SliceType::I;
        default: throw Unsupported("SP and SI slices");
    }
}

void read_order_count(BitReader& reader, SliceHeader& header) {
    const Sps& sps = *header.sps;
    const bool both = header.pps->pic_order_present;
    if (sps.poc_type == 0) {
        header.poc_lsb = int(reader.bits(unsigned(sps.log2_max_poc_lsb)));
        if (both) header.delta_poc_bottom = reader.se();
    } else if (sps.poc_type == 1 && !sps.delta_pic_order_always_zero) {
        header.delta_pic_order_cnt[0] = reader.se();
        if (both) header.delta_pic_order_cnt[1] = reader.se();
    }
}

void read_active_counts(BitReader& reader, SliceHeader& header) {
    const int lists = header.type == SliceType::I ? 0 : header.type == SliceType::P ? 1 : 2;
    if (lists == 0) return;
    const bool override_flag = reader.flag();
    for (int list = 0; list < lists; ++list) {
        const uint32_t count = override_flag ? reader.ue() : uint32_t(header.pps->num_ref_idx_default[list] - 1);
        header.num_ref_idx[list] = int(at_most(count, 15, "num_ref_idx_active_minus1")) + 1;  // 15: of frames
    }
}

void read_modifications(BitReader& reader, SliceHeader& header) {  // 7.3.3.1
    const uint32_t max_pic_num = 1u << header.sps->log2_max_frame_num;
    for (int list = 0; list < 2; ++list) {
        if (header.num_ref_idx[list] == 0 || !reader.flag()) continue;
        std::vector<ListModification>& commands = header.modifications[list];
        while (true) {
            const uint32_t idc = at_most(reader.ue(), 3, "modification_of_pic_nums_idc");
            if (idc == 3) break;
            if (commands.size() == MAX_COMMANDS) throw Damage("too many list modifications");
            const uint32_t value = at_most(reader.ue(), max_pic_num - 1, "list modification");
            commands.push_back({int(idc), idc == 2 ? value : value + 1});
        }
    }
}

void read_weight(BitReader& reader, Weight& weight, int component) {
    weight.weight[component] = int16_t(within(reader.se(), -128, 127, "weight"));
    weight.offset[component] = int16_t(within(reader.se(), -128, 127, "weight offset"));
}

void read_weights(BitReader& reader, SliceHeader& header) {  // 7.3.3.2
    const Pps& pps = *header.pps;
    header.explicit_weights = (header.type == SliceType::P && pps.weighted_pred) ||
                              (header.type == SliceType::B && pps.weighted_bipred_idc == 1);
    if (!header.explicit_weights) return;
    const bool chroma = header.sps->chroma_format_idc != 0;
    header.luma_log2_denom = int(at_most(reader.ue(), 7, "luma_log2_weight_denom"));
    if (chroma) header.chroma_log2_denom = int(at_most(reader.ue(), 7, "chroma_log2_weight_denom"));
    for (size_t list = 0; list < 2; ++list) {
        for (Weight& weight : header.weights[list]) {
            weight.weight[0] = int16_t(1 << header.luma_log2_denom);
            weight.weight[1] = weight.weight[2] = int16_t(1 << header.chroma_log2_denom);
        }
        for (size_t i = 0; i < size_t(header.num_ref_idx[list]); ++i) {
            Weight& weight = header.weights[list][i];
            if (reader.flag()) read_weight(reader, weight, 0);
            if (chroma && reader.flag()) {
                read_weight(reader, weight, 1);
                read_weight(reader, weight, 2);
            }
        }
    }
}

MarkingCommand read_command(BitReader& reader, int op, uint32_t max_pic_num) {
    MarkingCommand command;
    command.op = op;
    if (op == 1 || op == 3) command.first = at_most(reader.ue(), max_pic_num - 1, "difference_of_pic_nums_minus1") + 1;
    if (op == 2) command.first = at_most(reader.ue(), 15, "long_term_pic_num");
    if (op == 3) command.second = at_most(reader.ue(), 15, "long_term_frame_idx");
    if (op == 4) command.first = at_most(reader.ue(), 16, "max_long_term_frame_idx_plus1");
    if (op == 6) command.first = at_most(reader.ue(), 15, "long_term_frame_idx");
    return command;
}

void read_marking(BitReader& reader, SliceHeader& header) {  // 7.3.3.3
    if (header.nal_ref_idc == 0) return;
    if (header.idr) {
        reader.flag();  // no_output_of_prior_pics_flag
        header.long_term_reference = reader.flag();
        return;
    }
    header.adaptive_marking = reader.flag();
    while (header.adaptive_marking) {
        const uint32_t op = at_most(reader.ue(), 6, "memory_management_control_operation");
        if (op == 0) break;
        if (header.marking.size() == MAX_COMMANDS) throw Damage("too many marking commands");
        header.marking.push_back(read_command(reader, int(op), 1u << header.sps->log2_max_frame_num));
    }
}

void read_filter(BitReader& reader, SliceHeader& header) {
    if (!header.pps->deblocking_control) return;
    header.disable_deblocking = int(at_most(reader.ue(), 2, "disable_deblocking_filter_idc"));
    if (header.disable_deblocking == 1) return;
    within(reader.se(), -6, 6, "slice_alpha_c0_offset_div2");
    within(reader.se(), -6, 6, "slice_beta_offset_div2");
}

void read_slice_group_change(BitReader& reader, SliceHeader& header) {
    const Pps& pps = *header.pps;
    if (pps.num_slice_groups < 2 || pps.slice_group_map_type < 3 || pps.slice_group_map_type > 5) return;
    const uint64_t units = uint64_t(header.sps->mb_width) * uint64_t(header.sps->mb_height);
    const uint64_t rate = pps.slice_group_change_rate;
    unsigned bits = 0;  // Ceil(Log2(units / rate + 1)), the quotient not rounded
    while ((rate << bits) < units + rate) ++bits;
    header.slice_group_change_cycle = reader.bits(bits);
}

}  // namespace

SliceHeader ParameterSets::read_slice_header(const NalUnit& unit, const Payload& payload) {
    BitReader reader(payload);
    SliceHeader header;
    header.nal_ref_idc = unit.ref_idc;
    header.idr = unit.type == IDR_SLICE;
    header.first_mb = reader.ue();
    header.type = slice_type_of(reader.ue());
    header.pps = resolved(int(at_most(reader.ue(), 255, "pic_parameter_set_id")));
    header.sps = sps_[size_t(header.pps->sps_id)];
    const Sps& sps = *header.sps;
    at_most(header.first_mb, uint32_t(sps.mb_width * sps.mb_height - 1), "first_mb_in_slice");
    if (header.idr && header.type != SliceType::I) throw Damage("IDR picture with predicted slices");
    if (header.idr && header.nal_ref_idc == 0) throw Damage("IDR picture that is no reference");

    header.frame_num_position = reader.position();
    header.frame_num = int(reader.bits(unsigned(sps.log2_max_frame_num)));
    if (header.idr) header.idr_pic_id = at_most(reader.ue(), 65535, "idr_pic_id");
    read_order_count(reader, header);
    if (header.pps->redundant_pic_cnt_present) {
        header.redundant_pic_cnt = int(at_most(reader.ue(), 127, "redundant_pic_cnt"));
    }
    if (header.type == SliceType::B) header.direct_spatial = reader.flag();
    read_active_counts(reader, header);
    read_modifications(reader, header);
    read_weights(reader, header);
    read_marking(reader, header);
    if (header.pps->cabac && header.type != SliceType::I) {
        header.cabac_init_idc = int(at_most(reader.ue(), 2, "cabac_init_idc"));
    }
    header.qp_position = reader.position();
    const int lowest_qp = -6 * (sps.bit_depth_luma - 8);
    const int delta = within(reader.se(), -128, 128, "slice_qp_delta");
    header.qp = within(header.pps->qp + delta, lowest_qp, 51, "SliceQPY");
    read_filter(reader, header);
    read_slice_group_change(reader, header);
    if (reader.overrun()) throw Damage("slice header breaks off");
    header.data_position = reader.position();
    return header;
}

bool starts_picture(const SliceHeader& last, const SliceHeader& next) {
    return last.sps != next.sps || last.pps->id != next.pps->id || last.frame_num != next.frame_num ||
           (last.nal_ref_idc == 0) != (next.nal_ref_idc == 0) || last.idr != next.idr ||
           (last.idr && last.idr_pic_id != next.idr_pic_id) || last.poc_lsb != next.poc_lsb ||
           last.delta_poc_bottom != next.delta_poc_bottom ||
           last.delta_pic_order_cnt[0] != next.delta_pic_order_cnt[0] ||
           last.delta_pic_order_cnt[1] != next.delta_pic_order_cnt[1];
}

}  // namespace edgecvar::h264
