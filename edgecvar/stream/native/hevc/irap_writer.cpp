// I-pictures written as IDR pictures that reorder nothing (ITU-T H.265, 7.3.2.1, 7.3.2.2, 7.3.6, 7.4.7.1).
#include "hevc/irap_writer.h"

#include <algorithm>

#include "hevc/sequence_set.h"
#include "payload_writer.h"

namespace edgecvar::hevc {

namespace {

constexpr uint32_t ONE_BESIDE = 1;   // max_dec_pic_buffering_minus1: the one before may still be shown
constexpr int LAST_KNOWN_SLICE = CRA;

std::vector<uint8_t> unit_header(NalType type) { return {uint8_t(type << 1), 1}; }

bool is_slice(int type) { return (type >= 0 && type <= RASL_R) || (type >= BLA_W_LP && type <= LAST_KNOWN_SLICE); }

void refuse_what_others_cannot_read(const SliceHeader& header) {
    const Sps& sps = *header.sps;
    if (sps.chroma_format_idc != 1) throw Unsupported("4:0:0");
    if (sps.bit_depth_luma != 8 || sps.bit_depth_chroma != 8) throw Unsupported("more than 8 bit");
}

void write_ordering(PayloadWriter& writer) {
    writer.bits(0, 1);  // sub_layer_ordering_info_present_flag: one for all
    writer.ue(ONE_BESIDE);
    writer.ue(0);  // max_num_reorder_pics
    writer.ue(1);  // max_latency_increase_plus1
}

// What an SPS says of its stream, in a VPS of its id: nothing else is needed of one, and streams are known without.
std::vector<uint8_t> video_payload(const Sps& sps, const Payload& payload) {
    const uint8_t* const data = payload.bytes.data();
    PayloadWriter writer;
    writer.bits(uint32_t(sps.vps_id), 4);
    writer.bits(3, 2);  // vps_base_layer_internal_flag, vps_base_layer_available_flag
    writer.bits(0, 6);  // vps_max_layers_minus1
    writer.copy(data, 4, 8);
    writer.bits(0xFFFF, 16);
    writer.copy(data, 8, sps.id_position);
    write_ordering(writer);
    writer.bits(0, 6);  // vps_max_layer_id
    writer.ue(0);       // vps_num_layer_sets_minus1
    writer.bits(0, 2);  // vps_timing_info_present_flag, vps_extension_flag
    writer.end();
    return writer.bytes();
}

// The set with nothing cropped, nothing reordered and no reference.
std::vector<uint8_t> sequence_payload(const Sps& sps, const Payload& payload) {
    const uint8_t* const data = payload.bytes.data();
    PayloadWriter writer;
    writer.copy(data, 0, sps.window_position);
    writer.bits(0, 1);  // conformance_window_flag
    writer.copy(data, sps.window_end, sps.ordering_position);
    write_ordering(writer);
    writer.copy(data, sps.ordering_end, sps.references_position);
    writer.ue(0);       // num_short_term_ref_pic_sets
    writer.bits(0, 1);  // long_term_ref_pics_present_flag
    size_t end = payload.size;
    while (end > 0 && data[end - 1] == 0) --end;
    writer.copy(data, sps.references_end, 8 * end);
    std::vector<uint8_t> bytes = writer.bytes();
    while (!bytes.empty() && bytes.back() == 0) bytes.pop_back();
    return bytes;
}

// The sizes of all substreams but the last, with the bytes for emulation prevention that append_unit() will put in. The
// header ends with a byte that is not 0.
std::vector<uint32_t> sizes_of(const SliceHeader& header, const Payload& payload) {
    std::vector<uint32_t> sizes;
    size_t at = header.data_position / 8;
    int zeros = 0;
    for (const size_t entry : header.entry_points) {
        uint32_t size = 0;
        for (; at < entry; ++at, ++size) {
            const uint8_t byte = payload.bytes[at];
            if (zeros == 2 && byte <= 3) {
                ++size;
                zeros = 0;
            }
            zeros = byte == 0 ? zeros + 1 : 0;
        }
        sizes.push_back(size);
    }
    return sizes;
}

void write_entry_points(PayloadWriter& writer, const SliceHeader& header, const Payload& payload) {
    if (!header.pps->tiles_enabled && !header.pps->entropy_coding_sync) return;
    const std::vector<uint32_t> sizes = sizes_of(header, payload);
    writer.ue(uint32_t(sizes.size()));
    if (sizes.empty()) return;
    const uint32_t largest = *std::max_element(sizes.begin(), sizes.end()) - 1;
    const unsigned length = largest > 0 ? 32 - unsigned(__builtin_clz(largest)) : 1;
    writer.ue(length - 1);
    for (const uint32_t size : sizes) writer.bits(size - 1, length);
}

// Without zero bytes at the end (cabac_zero_words), which no decoder wants.
std::vector<uint8_t> slice_payload(const SliceHeader& header, const Payload& payload) {
    const uint8_t* const data = payload.bytes.data();
    PayloadWriter writer;
    writer.bits(header.first_in_picture, 1);
    writer.bits(0, 1);  // no_output_of_prior_pics_flag
    writer.copy(data, header.irap() ? 2 : 1, header.dependent ? header.entries_position : header.type_position);
    if (!header.dependent) {
        const bool has_output = header.pps->output_flag_present;
        writer.copy(data, header.type_position, header.references_position - has_output);
        if (has_output) writer.bits(1, 1);  // pic_output_flag
        writer.copy(data, header.references_end, header.entries_position);
    }
    write_entry_points(writer, header, payload);
    writer.copy(data, header.entries_end, header.alignment_position);
    writer.end();
    size_t end = payload.size;
    while (end > 0 && data[end - 1] == 0) --end;
    writer.copy(data, header.data_position, 8 * end);
    return writer.bytes();
}

}  // namespace

IrapWriter::IrapWriter(const uint8_t* extradata, size_t size)
    : length_size_(read_extradata(extradata, size, Standard::HEVC).length_size) {}

void IrapWriter::take(const NalUnit& unit) {
    Payload payload;
    unescape(unit, payload);
    BitReader reader(payload);
    if (unit.type == SPS) {
        sets_.read_sps(payload);
        sequences_[sequence_set_id(reader)] = std::move(payload);
    } else {
        sets_.read_pps(payload);
        pictures_[int(reader.ue())].assign(unit.data, unit.data + unit.size);
    }
}

void IrapWriter::follow(const std::vector<uint8_t>& sets) {
    if (sets == known_) return;
    known_.clear();
    sets_ = ParameterSets();
    bool broken = false;
    for (const NalUnit& unit : split(sets.data(), sets.size(), length_size_, broken, Standard::HEVC)) {
        if (unit.layer != 0 || (unit.type != SPS && unit.type != PPS)) continue;
        try {
            take(unit);
        } catch (const Damage&) {  // only the pictures that name it cannot be read
        } catch (const Unsupported&) {
        }
    }
    known_ = sets;
}

void IrapWriter::add(const NalUnit& unit) {
    if (parts_.size() <= count_) parts_.resize(count_ + 1);
    Part& part = parts_[count_];
    unescape(unit, part.payload);
    part.header = sets_.read_slice_header(unit, part.payload, count_ > 0 ? &parts_[count_ - 1].header : nullptr);
    const SliceHeader& header = part.header;
    if (header.type != SliceType::I) throw Unsupported("a predicted slice");
    refuse_what_others_cannot_read(header);
    if (count_ == 0) {
        if (!header.first_in_picture) throw Damage("the first slice is missing");
    } else {
        const SliceHeader& last = parts_[count_ - 1].header;
        if (header.first_in_picture) throw Unsupported("several pictures in a packet");
        if (header.pps != last.pps) throw Damage("slices of one picture with several picture parameter sets");
        const std::vector<int>& order = header.pps->ctb_raster_to_tile;
        if (order[size_t(header.segment_address)] <= order[size_t(last.segment_address)]) {
            throw Unsupported("slices out of order");
        }
    }
    ++count_;
}

void IrapWriter::gather(const uint8_t* packet, size_t size) {
    bool broken = false;
    count_ = 0;
    for (const NalUnit& unit : split(packet, size, length_size_, broken, Standard::HEVC)) {
        if (unit.layer == 0 && is_slice(unit.type)) add(unit);
    }
    if (broken) throw Damage("NAL unit lengths lead out of the packet");
    if (count_ == 0) throw Damage("no slice");
}

std::vector<uint8_t> IrapWriter::write(const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size) {
    follow(sets);
    gather(packet, size);
    const Sps& sps = *parts_[0].header.sps;
    const Payload& sequence = sequences_.at(sps.id);
    const std::vector<uint8_t>& picture = pictures_.at(parts_[0].header.pps->id);
    std::vector<uint8_t> bytes;
    append_unit(unit_header(DELIMITER), {0x10}, bytes);  // pic_type: I slices alone
    append_unit(unit_header(VPS), video_payload(sps, sequence), bytes);
    append_unit(unit_header(SPS), sequence_payload(sps, sequence), bytes);
    bytes.insert(bytes.end(), {0, 0, 0, 1});
    bytes.insert(bytes.end(), picture.begin(), picture.end());
    for (size_t i = 0; i < count_; ++i) {
        append_unit(unit_header(IDR_N_LP), slice_payload(parts_[i].header, parts_[i].payload), bytes);
    }
    return bytes;
}

}  // namespace edgecvar::hevc
