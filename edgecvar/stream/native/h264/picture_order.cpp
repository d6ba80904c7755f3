// Picture order counts of frames (ITU-T H.264, 8.2.1).
#include <algorithm>

#include "damage.h"
#include "h264/dpb.h"

namespace edgecvar::h264 {

namespace {

// Below this differences of two counts stay within 32 bits; the standard asks for far less (8.2.1).
constexpr int64_t MAX_COUNT = int64_t(1) << 30;

PictureOrder::Counts checked(int64_t top, int64_t bottom) {
    if (std::min(top, bottom) < -MAX_COUNT || std::max(top, bottom) > MAX_COUNT) {
        throw Damage("picture order count out of range");
    }
    return {int32_t(top), int32_t(bottom)};
}

// Sum of offset_for_ref_frame over absFrameNum frames, cycle after cycle (8.2.1.2).
int64_t expected_delta(const Sps& sps, int64_t abs_frame_num) {
    const int64_t length = int64_t(sps.offset_for_ref_frame.size());
    if (abs_frame_num <= 0 || length == 0) return 0;
    int64_t whole = 0, part = 0;  // of a cycle
    for (int64_t i = 0; i < length; ++i) {
        whole += sps.offset_for_ref_frame[size_t(i)];
        if (i <= (abs_frame_num - 1) % length) part = whole;
    }
    return (abs_frame_num - 1) / length * whole + part;
}

}  // namespace

PictureOrder::Counts PictureOrder::by_lsb(const SliceHeader& header, int64_t& msb) const {  // 8.2.1.1
    const int span = 1 << header.sps->log2_max_poc_lsb;
    const int last_lsb = header.idr ? 0 : lsb_;
    msb = header.idr ? 0 : msb_;
    if (header.poc_lsb < last_lsb && last_lsb - header.poc_lsb >= span / 2) {
        msb += span;
    } else if (header.poc_lsb > last_lsb && header.poc_lsb - last_lsb > span / 2) {
        msb -= span;
    }
    const int64_t top = msb + header.poc_lsb;
    return checked(top, top + header.delta_poc_bottom);
}

PictureOrder::Counts PictureOrder::by_cycle(const SliceHeader& header, int64_t offset) {  // 8.2.1.2
    const Sps& sps = *header.sps;
    int64_t abs_frame_num = sps.offset_for_ref_frame.empty() ? 0 : offset + header.frame_num;
    if (header.nal_ref_idc == 0 && abs_frame_num > 0) --abs_frame_num;
    int64_t expected = expected_delta(sps, abs_frame_num);
    if (header.nal_ref_idc == 0) expected += sps.offset_for_non_ref_pic;
    const int64_t top = expected + header.delta_pic_order_cnt[0];
    return checked(top, top + sps.offset_for_top_to_bottom + header.delta_pic_order_cnt[1]);
}

int64_t PictureOrder::frame_num_offset(const Sps& sps, int frame_num) const {
    return frame_num_ > frame_num ? offset_ + (int64_t(1) << sps.log2_max_frame_num) : offset_;
}

PictureOrder::Counts PictureOrder::next(const SliceHeader& header) {
    const int64_t offset = header.idr ? 0 : frame_num_offset(*header.sps, header.frame_num);
    int64_t msb = 0;
    Counts counts;
    if (header.sps->poc_type == 0) {
        counts = by_lsb(header, msb);
    } else if (header.sps->poc_type == 1) {
        counts = by_cycle(header, offset);
    } else {  // 8.2.1.3
        const int64_t poc = 2 * (offset + header.frame_num) - (header.nal_ref_idc == 0 ? 1 : 0);
        counts = checked(header.idr ? 0 : poc, header.idr ? 0 : poc);
    }
    current_msb_ = msb;
    current_lsb_ = header.poc_lsb;
    offset_ = offset;
    frame_num_ = header.frame_num;
    return counts;
}

PictureOrder::Counts PictureOrder::next_inferred(const Sps& sps, int frame_num) {
    Counts counts = last_reference_;
    current_msb_ = msb_;  // what comes next follows the last reference picture, not the last picture
    current_lsb_ = lsb_;
    const int64_t offset = frame_num_offset(sps, frame_num);
    if (sps.poc_type == 1) {
        const int64_t top = expected_delta(sps, sps.offset_for_ref_frame.empty() ? 0 : offset + frame_num);
        counts = checked(top, top + sps.offset_for_top_to_bottom);
    } else if (sps.poc_type == 2) {
        counts = checked(2 * (offset + frame_num), 2 * (offset + frame_num));
    }
    offset_ = offset;
    frame_num_ = frame_num;
    return counts;
}

void PictureOrder::reference(const Counts& counts, bool reset) {
    last_reference_ = counts;
    msb_ = reset ? 0 : current_msb_;
    lsb_ = reset ? counts.top : current_lsb_;
    if (reset) {
        offset_ = 0;
        frame_num_ = 0;
    }
}

}  // namespace edgecvar::h264
