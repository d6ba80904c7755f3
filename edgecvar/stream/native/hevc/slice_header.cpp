// Slice segment headers (ITU-T H.265, 7.3.6, 7.4.7).
#include <algorithm>

#include "hevc/entry_points.h"
#include "hevc/parameter_sets.h"
#include "hevc/reference_sets.h"
#include "hevc/weights.h"
#include "range.h"

namespace edgecvar::hevc {

namespace {

constexpr int64_t FARTHEST = 1 << 30;  // a long-term reference from the current picture

unsigned bits_for(uint32_t count) {  // Ceil(Log2(count))
    return count > 1 ? 32 - unsigned(__builtin_clz(count - 1)) : 0;
}

SliceType slice_type_of(uint32_t slice_type) {  // Table 7-7
    static constexpr SliceType TYPES[] = {SliceType::B, SliceType::P, SliceType::I};
    return TYPES[at_most(slice_type, 2, "slice_type")];
}

void read_address(BitReader& reader, SliceHeader& header) {
    if (header.first_in_picture) return;
    header.dependent = header.pps->dependent_slices_enabled && reader.flag();
    const uint32_t count = uint32_t(header.sps->width_in_ctbs()) * uint32_t(header.sps->height_in_ctbs());
    const uint32_t address = at_most(reader.bits(bits_for(count)), count - 1, "slice_segment_address");
    if (address == 0) throw Damage("slice_segment_address 0");
    header.segment_address = int(address);
}

LongTermPicture read_long_term_picture(BitReader& reader, const Sps& sps, bool by_index) {
    LongTermPicture picture;
    if (by_index) {
        const uint32_t count = uint32_t(sps.long_term_poc_lsb.size());
        const uint32_t index = at_most(reader.bits(bits_for(count)), count - 1, "lt_idx_sps");
        picture.poc = sps.long_term_poc_lsb[index];
        picture.used = sps.long_term_used[index];
    } else {
        picture.poc = int(reader.bits(unsigned(sps.log2_max_poc_lsb)));
        picture.used = reader.flag();
    }
    picture.has_msb = reader.flag();
    return picture;
}

void read_long_term(BitReader& reader, SliceHeader& header) {
    const Sps& sps = *header.sps;
    if (!sps.long_term_present) return;
    const uint32_t most = MOST_REFERENCES - uint32_t(header.short_term.before.size() + header.short_term.after.size());
    const uint32_t indexed = sps.long_term_poc_lsb.empty() ? 0 : at_most(reader.ue(), most, "num_long_term_sps");
    const uint32_t count = indexed + at_most(reader.ue(), most - indexed, "num_long_term_pics");
    int64_t cycles = 0;  // DeltaPocMsbCycleLt (7-52)
    for (uint32_t i = 0; i < count; ++i) {
        LongTermPicture picture = read_long_term_picture(reader, sps, i < indexed);
        if (i == 0 || i == indexed) cycles = 0;
        if (picture.has_msb) {
            cycles += reader.ue();
            const int64_t back = cycles << sps.log2_max_poc_lsb;
            if (back > FARTHEST) throw Damage("delta_poc_msb_cycle_lt " + std::to_string(cycles));
            picture.poc -= header.poc_lsb + int(back);
        }
        header.long_term.push_back(picture);
    }
}

void read_reference_sets(BitReader& reader, SliceHeader& header) {
    header.references_position = reader.position();
    const Sps& sps = *header.sps;
    if (!header.idr()) {
        header.poc_lsb = int(reader.bits(unsigned(sps.log2_max_poc_lsb)));
        if (!reader.flag()) {
            header.short_term = read_short_term_set(reader, sps.short_term_sets, true);
        } else {
            const uint32_t count = uint32_t(sps.short_term_sets.size());
            if (count == 0) throw Damage("no short-term reference picture sets");
            header.short_term =
                sps.short_term_sets[at_most(reader.bits(bits_for(count)), count - 1, "short_term_ref_pic_set_idx")];
        }
        read_long_term(reader, header);
        header.temporal_mvp = sps.temporal_mvp_enabled && reader.flag();
    }
    header.references_end = reader.position();
}

uint32_t references_of_picture(const SliceHeader& header) {  // NumPicTotalCurr
    const auto used = [](const auto& picture) { return picture.used; };
    const ShortTermSet& set = header.short_term;
    return uint32_t(std::count_if(set.before.begin(), set.before.end(), used) +
                    std::count_if(set.after.begin(), set.after.end(), used) +
                    std::count_if(header.long_term.begin(), header.long_term.end(), used));
}

void read_lists(BitReader& reader, SliceHeader& header, size_t lists) {
    const uint32_t total = references_of_picture(header);
    if (total == 0) throw Damage("predicted slice without references");
    const bool override_flag = reader.flag();
    for (size_t list = 0; list < lists; ++list) {
        const uint32_t count = override_flag ? reader.ue() : uint32_t(header.pps->num_ref_idx_default[list] - 1);
        header.num_ref_idx[list] = int(at_most(count, MOST_REFERENCES - 1, "num_ref_idx_active_minus1")) + 1;
    }
    if (!header.pps->lists_modification_present || total <= 1) return;
    for (size_t list = 0; list < lists; ++list) {
        if (!reader.flag()) continue;
        for (int i = 0; i < header.num_ref_idx[list]; ++i) {
            header.list_entries[list].push_back(int(at_most(reader.bits(bits_for(total)), total - 1, "list_entry")));
        }
    }
}

void read_collocated(BitReader& reader, SliceHeader& header) {
    if (!header.temporal_mvp) return;
    if (header.type == SliceType::B) header.collocated_from_l0 = reader.flag();
    const int count = header.num_ref_idx[header.collocated_from_l0 ? 0 : 1];
    if (count > 1) header.collocated_ref_idx = int(at_most(reader.ue(), uint32_t(count - 1), "collocated_ref_idx"));
}

void read_prediction(BitReader& reader, SliceHeader& header) {
    if (header.type == SliceType::I) return;
    const bool two = header.type == SliceType::B;
    read_lists(reader, header, two ? 2 : 1);
    if (two) header.mvd_l1_zero = reader.flag();
    if (header.pps->cabac_init_present) header.cabac_init = reader.flag();
    read_collocated(reader, header);
    header.explicit_weights = two ? header.pps->weighted_bipred : header.pps->weighted_pred;
    if (header.explicit_weights) read_weights(reader, header);
    header.max_merge_candidates = 5 - int(at_most(reader.ue(), 4, "five_minus_max_num_merge_cand"));
}

void read_qp(BitReader& reader, SliceHeader& header) {
    const Pps& pps = *header.pps;
    const int delta = within(reader.se(), -128, 128, "slice_qp_delta");
    header.qp = within(pps.init_qp + delta, -6 * (header.sps->bit_depth_luma - 8), 51, "SliceQpY");
    header.cb_qp_offset = pps.cb_qp_offset;
    header.cr_qp_offset = pps.cr_qp_offset;
    if (!pps.slice_chroma_qp_offsets_present) return;
    for (int* offset : {&header.cb_qp_offset, &header.cr_qp_offset}) {
        *offset = within(*offset + within(reader.se(), -12, 12, "slice_qp_offset"), -12, 12, "chroma QP offset");
    }
}

void read_filters(BitReader& reader, SliceHeader& header) {
    const Pps& pps = *header.pps;
    header.deblocking_disabled = pps.deblocking_disabled;
    if (pps.deblocking_override_enabled && reader.flag()) {
        header.deblocking_disabled = reader.flag();
        if (!header.deblocking_disabled) {
            within(reader.se(), -6, 6, "slice_beta_offset_div2");
            within(reader.se(), -6, 6, "slice_tc_offset_div2");
        }
    }
    const bool filtered = header.sao_luma || header.sao_chroma || !header.deblocking_disabled;
    if (pps.loop_filter_across_slices && filtered) reader.skip(1);  // slice_loop_filter_across_slices_enabled_flag
}

void read_slice(BitReader& reader, SliceHeader& header) {
    header.slice_address = header.segment_address;
    header.type_position = reader.position();
    reader.skip(unsigned(header.pps->num_extra_slice_header_bits));
    header.type = slice_type_of(reader.ue());
    if (header.irap() && header.type != SliceType::I) throw Damage("IRAP picture with predicted slices");
    if (header.pps->output_flag_present) header.pic_output = reader.flag();
    read_reference_sets(reader, header);
    if (header.sps->sao_enabled) {
        header.sao_luma = reader.flag();
        if (header.sps->chroma_format_idc != 0) header.sao_chroma = reader.flag();
    }
    read_prediction(reader, header);
    read_qp(reader, header);
    read_filters(reader, header);
}

// The fields of the slice that a dependent segment belongs to, with the segment's own.
void continue_slice(SliceHeader& header, const SliceHeader* before) {
    if (!before) throw Damage("dependent slice segment without the one before");
    if (before->pps != header.pps) throw Damage("dependent slice segment of another picture parameter set");
    if (before->segment_address >= header.segment_address && !header.pps->tiles_enabled) {
        throw Damage("dependent slice segment out of order");
    }
    SliceHeader whole = *before;
    whole.nal_type = header.nal_type;
    whole.temporal_id = header.temporal_id;
    whole.first_in_picture = false;
    whole.dependent = true;
    whole.segment_address = header.segment_address;
    whole.no_output_of_prior_pics = header.no_output_of_prior_pics;
    whole.entry_points.clear();
    header = std::move(whole);
}

void read_alignment(BitReader& reader, SliceHeader& header, const Payload& payload) {  // byte_alignment()
    header.alignment_position = reader.position();
    bool right = reader.flag();
    while (reader.position() % 8 != 0) right &= !reader.flag();
    if (!right) throw Damage("slice header is not aligned");
    if (reader.position() >= 8 * payload.size) throw Damage("slice header breaks off");
    header.data_position = reader.position();
}

}  // namespace

SliceHeader ParameterSets::read_slice_header(const NalUnit& unit, const Payload& payload, const SliceHeader* before) {
    BitReader reader(payload);
    SliceHeader header;
    header.nal_type = unit.type;
    header.temporal_id = unit.temporal_id;
    if (unit.temporal_id < 0) throw Damage("nuh_temporal_id_plus1 0");
    header.first_in_picture = reader.flag();
    if (header.irap()) header.no_output_of_prior_pics = reader.flag();
    header.pps = resolved(int(at_most(reader.ue(), 63, "slice_pic_parameter_set_id")));
    header.sps = sps_[size_t(header.pps->sps_id)];
    read_address(reader, header);
    if (header.dependent) {
        continue_slice(header, before);
    } else {
        read_slice(reader, header);
    }
    read_entry_offsets(reader, header);
    if (header.pps->slice_header_extension_present) {
        reader.skip(8 * at_most(reader.ue(), 256, "slice_segment_header_extension_length"));
    }
    if (reader.overrun()) throw Damage("slice header breaks off");
    read_alignment(reader, header, payload);
    place_entry_points(header, payload);
    return header;
}

}  // namespace edgecvar::hevc
