// I-pictures written as IDR pictures that reorder nothing (ITU-T H.264, 7.3.2.1.1, 7.3.3, 7.4.1.2.4, E.1.1).
#include "h264/idr_writer.h"

#include <algorithm>

#include "payload_writer.h"

namespace edgecvar::h264 {

namespace {

// What of a header depends on the picture, and is the same in all its slices.
struct Form {
    int log2_max_frame_num = 4;
    uint32_t idr_pic_id = 0;
};

void refuse_what_others_cannot_read(const SliceHeader& header) {
    const Sps& sps = *header.sps;
    if (sps.chroma_format_idc != 1) throw Unsupported("4:0:0");
    if (sps.bit_depth_luma != 8) throw Unsupported("more than 8 bit");
    if (header.pps->num_slice_groups > 1) throw Unsupported("slice groups");
}

// 7.4.1.2.4 and 8.2.1: the picture is the first in order, its fields in the order that the set says.
void write_order_count(PayloadWriter& writer, const SliceHeader& header) {
    const Sps& sps = *header.sps;
    const bool both = header.pps->pic_order_present;
    if (sps.poc_type == 0) {
        writer.bits(0, unsigned(sps.log2_max_poc_lsb));
        if (both) writer.se(0);
    } else if (sps.poc_type == 1 && !sps.delta_pic_order_always_zero) {
        writer.se(std::max(int64_t(0), -int64_t(sps.offset_for_top_to_bottom)));  // the lesser of both is 0
        if (both) writer.se(0);
    }
}

void write_header(PayloadWriter& writer, const Slice& slice, Form form) {
    const SliceHeader& header = slice.header;
    const uint8_t* const data = slice.payload.bytes.data();
    writer.copy(data, 0, header.frame_num_position);
    writer.bits(0, unsigned(form.log2_max_frame_num));
    writer.ue(form.idr_pic_id);
    write_order_count(writer, header);
    if (header.pps->redundant_pic_cnt_present) writer.ue(0);
    writer.bits(0, 2);  // no_output_of_prior_pics_flag, long_term_reference_flag
    writer.copy(data, header.qp_position, header.data_position);
}

// How much longer a header gets, modulo 8.
unsigned growth(const Slice& slice, Form form) {
    PayloadWriter writer;
    write_header(writer, slice, form);
    return unsigned(writer.position() - slice.header.data_position) % 8;
}

// An id other than the `last`, whose code has `length` bits (1, 3, 5 or 7) or 8 more.
uint32_t another_id(unsigned length, uint32_t last) {
    const uint32_t first = (1u << length / 2) - 1;
    const uint32_t second = length == 1 ? 15 : first + 1;
    return first == last ? second : first;
}

// Headers grow by whole bytes, so that data stays aligned: I_PCM samples in it must (7.3.5), and where none can tell
// whether there are any. Ids have codes of odd lengths; where one bit is over, frame_num has one more or less.
Form form_of(const Slice& slice, uint32_t last_id) {
    constexpr unsigned SHORTEST = 1;  // the code of id 0
    Form form{slice.header.sps->log2_max_frame_num, 0};
    if (growth(slice, form) % 2 != 0) form.log2_max_frame_num += form.log2_max_frame_num < 16 ? 1 : -1;
    form.idr_pic_id = another_id(SHORTEST + (8 - growth(slice, form)) % 8, last_id);
    return form;
}

// The set with one reference frame, nothing cropped, and of the VUI the part that says that nothing is reordered.
std::vector<uint8_t> sequence_payload(const Sps& sps, const Payload& payload, Form form) {
    PayloadWriter writer;
    writer.copy(payload.bytes.data(), 0, sps.order_position);
    writer.ue(uint32_t(form.log2_max_frame_num - 4));
    writer.ue(uint32_t(sps.poc_type));
    if (sps.poc_type == 0) writer.ue(uint32_t(sps.log2_max_poc_lsb - 4));
    if (sps.poc_type == 1) {
        writer.bits(sps.delta_pic_order_always_zero, 1);
        writer.se(sps.offset_for_non_ref_pic);
        writer.se(sps.offset_for_top_to_bottom);
        writer.ue(uint32_t(sps.offset_for_ref_frame.size()));
        for (const int32_t offset : sps.offset_for_ref_frame) writer.se(offset);
    }
    writer.ue(1);       // max_num_ref_frames
    writer.bits(0, 1);  // gaps_in_frame_num_value_allowed_flag
    writer.ue(uint32_t(sps.mb_width - 1));
    writer.ue(uint32_t(sps.mb_height - 1));
    writer.bits(1, 1);  // frame_mbs_only_flag
    writer.bits(sps.direct_8x8_inference, 1);
    writer.bits(0, 1);  // frame_cropping_flag
    writer.bits(1, 1);  // vui_parameters_present_flag
    writer.bits(0, 8);  // eight parts that are not present
    writer.bits(1, 1);  // bitstream_restriction_flag
    writer.bits(1, 1);  // motion_vectors_over_pic_boundaries_flag
    for (const uint32_t value : {0, 0, 15, 15}) writer.ue(value);  // limits that limit nothing
    writer.ue(0);       // max_num_reorder_frames
    writer.ue(1);       // max_dec_frame_buffering
    writer.end();
    return writer.bytes();
}

// Without zero bytes at the end (cabac_zero_words), which no decoder wants.
std::vector<uint8_t> slice_payload(const Slice& slice, Form form) {
    const Payload& payload = slice.payload;
    size_t end = payload.size;
    while (end > 0 && payload.bytes[end - 1] == 0) --end;
    PayloadWriter writer;
    write_header(writer, slice, form);
    writer.copy(payload.bytes.data(), slice.header.data_position, 8 * end);
    return writer.bytes();
}

}  // namespace

IdrWriter::IdrWriter(const uint8_t* extradata, size_t size)
    : length_size_(read_extradata(extradata, size).length_size) {}

void IdrWriter::follow(const std::vector<uint8_t>& sets) {
    if (sets == known_) return;
    known_.clear();
    held_ = HeldSets<Units>();
    bool broken = false;
    for (const NalUnit& unit : split(sets.data(), sets.size(), length_size_, broken)) {
        if (unit.type != SPS && unit.type != PPS) continue;
        try {
            held_.take(unit);
        } catch (const Damage&) {  // only the pictures that name it cannot be read
        } catch (const Unsupported&) {
        }
    }
    known_ = sets;
}

void IdrWriter::add(const NalUnit& unit) {
    if (slices_.size() <= count_) slices_.resize(count_ + 1);
    Slice& slice = slices_[count_];
    unescape(unit, slice.payload);
    slice.header = held_.sets().read_slice_header(unit, slice.payload);
    const SliceHeader& header = slice.header;
    if (header.redundant_pic_cnt > 0) return;
    if (header.type != SliceType::I) throw Unsupported("a predicted slice");
    BitReader data(slice.payload);
    data.skip(unsigned(header.data_position));
    if (!data.more_data()) throw Damage("slice without data");
    refuse_what_others_cannot_read(header);
    if (count_ == 0) {
        if (header.first_mb > 0) throw Damage("the first slice is missing");
    } else {
        const SliceHeader& last = slices_[count_ - 1].header;
        if (starts_picture(last, header)) throw Unsupported("several pictures in a packet");
        if (header.first_mb <= last.first_mb) throw Unsupported("slices out of order");
    }
    ++count_;
}

void IdrWriter::gather(const uint8_t* packet, size_t size) {
    bool broken = false;
    count_ = 0;
    for (const NalUnit& unit : split(packet, size, length_size_, broken)) {
        if (unit.type >= PARTITION_A && unit.type <= PARTITION_C) throw Unsupported("data partitioning");
        if (unit.type == SLICE || unit.type == IDR_SLICE) add(unit);
    }
    if (broken) throw Damage("NAL unit lengths lead out of the packet");
    if (count_ == 0) throw Damage("no slice");
}

std::vector<uint8_t> IdrWriter::write(const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size) {
    follow(sets);
    gather(packet, size);
    const SliceHeader& first = slices_[0].header;
    const Form form = form_of(slices_[0], id_);
    const NalUnit sequence = held_.unit(SPS, first.sps->id), picture = held_.unit(PPS, first.pps->id);
    Payload payload;
    unescape(sequence, payload);
    std::vector<uint8_t> bytes;
    append_unit({DELIMITER}, {0x10}, bytes);  // primary_pic_type: I slices alone
    append_unit({sequence.data[0]}, sequence_payload(*first.sps, payload, form), bytes);
    bytes.insert(bytes.end(), {0, 0, 0, 1});
    bytes.insert(bytes.end(), picture.data, picture.data + picture.size);
    for (size_t i = 0; i < count_; ++i) {
        const Slice& slice = slices_[i];
        if (growth(slice, form) != 0) throw Damage("slices of one picture that mark references differently");
        const int ref_idc = std::max(1, slice.header.nal_ref_idc);  // an IDR picture is a reference
        append_unit({uint8_t(ref_idc << 5 | IDR_SLICE)}, slice_payload(slice, form), bytes);
    }
    id_ = form.idr_pic_id;
    return bytes;
}

}  // namespace edgecvar::h264
