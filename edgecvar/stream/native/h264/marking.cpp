// Marking of reference frames, and the frames that gaps in frame_num infer (ITU-T H.264, 8.2.5).
#include <algorithm>

#include "damage.h"
#include "h264/dpb.h"

namespace edgecvar::h264 {

namespace {

size_t capacity(const Sps& sps) { return size_t(std::max(1, sps.max_num_ref_frames)); }

bool has_operation_5(const SliceHeader& header) {
    return header.adaptive_marking && std::any_of(header.marking.begin(), header.marking.end(),
                                                  [](const MarkingCommand& command) { return command.op == 5; });
}

}  // namespace

void Dpb::clear() { *this = Dpb(); }

bool Dpb::order_unknown() const {
    return std::any_of(frames_.begin(), frames_.end(), [](const Frame& frame) { return !frame.has_order; });
}

CurrentPicture Dpb::begin(const SliceHeader& header, uint32_t number, int& lost) {
    const Sps& sps = *header.sps;
    lost = 0;
    if (header.idr) {
        prev_ref_frame_num_ = header.frame_num;
    } else if (!started_) {
        prev_ref_frame_num_ = header.frame_num;  // nothing is known of what came before a stream's first picture
    } else if (header.frame_num != prev_ref_frame_num_) {
        const int max_frame_num = 1 << sps.log2_max_frame_num;
        const int missing = (header.frame_num - prev_ref_frame_num_ - 1) & (max_frame_num - 1);
        if (missing > 0) fill_gap(sps, header.frame_num, number);
        if (!sps.gaps_in_frame_num_allowed) lost = missing;
    }
    const PictureOrder::Counts counts = order_.next(header);
    started_ = true;
    wrap_frame_nums(sps, header.frame_num);

    CurrentPicture current;
    current.tag = std::make_shared<Tag>();
    current.tag->number = number;
    current.tag->poc = counts.poc();
    current.idr = header.idr;
    current.reference = header.nal_ref_idc != 0;
    current.frame_num = header.frame_num;
    current.resets_order = header.idr || (current.reference && has_operation_5(header));
    current.top = counts.top;
    current.bottom = counts.bottom;
    return current;
}

// 8.2.5.2. Of a long gap only the last frames stay, so only those are made.
void Dpb::fill_gap(const Sps& sps, int frame_num, uint32_t number) {
    const int mask = (1 << sps.log2_max_frame_num) - 1;
    const int first = (prev_ref_frame_num_ + 1) & mask;
    const int missing = (frame_num - first) & mask;
    const int skipped = std::max(0, missing - int(capacity(sps)));
    if (skipped > 0) order_.next_inferred(sps, first);  // FrameNumOffset may grow there
    for (int i = skipped; i < missing; ++i) {
        const int unused = (first + i) & mask;
        const PictureOrder::Counts counts = order_.next_inferred(sps, unused);
        wrap_frame_nums(sps, unused);
        while (frames_.size() >= capacity(sps)) slide();
        Frame frame;
        frame.reference.tag = std::make_shared<Tag>();
        frame.reference.tag->number = number;
        frame.reference.tag->poc = counts.poc();
        frame.reference.tag->lost = true;
        frame.frame_num = frame.frame_num_wrap = unused;
        frame.short_term = frame.non_existing = true;
        frame.has_order = sps.poc_type != 0;
        frames_.push_back(std::move(frame));
        order_.reference(counts, false);
        prev_ref_frame_num_ = unused;
    }
}

void Dpb::wrap_frame_nums(const Sps& sps, int frame_num) {  // 8.2.4.1
    const int max_frame_num = 1 << sps.log2_max_frame_num;
    for (Frame& frame : frames_) {
        frame.frame_num_wrap = frame.frame_num > frame_num ? frame.frame_num - max_frame_num : frame.frame_num;
    }
}

// 8.2.5.3; where a broken stream left no short-term frame, the oldest long-term one goes.
void Dpb::slide() {
    auto oldest = frames_.end();
    for (auto frame = frames_.begin(); frame != frames_.end(); ++frame) {
        if (!frame->short_term) continue;
        if (oldest == frames_.end() || frame->frame_num_wrap < oldest->frame_num_wrap) oldest = frame;
    }
    if (oldest == frames_.end()) oldest = frames_.begin();
    frames_.erase(oldest);
}

void Dpb::free_long_term(int long_term_frame_idx) {
    frames_.erase(std::remove_if(frames_.begin(), frames_.end(),
                                 [=](const Frame& frame) {
                                     return frame.reference.long_term &&
                                            frame.long_term_frame_idx == long_term_frame_idx;
                                 }),
                  frames_.end());
}

// One memory_management_control_operation (8.2.5.4). Those for frames that are not there have no effect.
void Dpb::execute(const MarkingCommand& command, CurrentPicture& current, Frame& own) {
    const int pic_num = current.frame_num - int(command.first);  // picNumX of operations 1 and 3
    const auto is_short = [=](const Frame& frame) { return frame.short_term && frame.frame_num_wrap == pic_num; };
    switch (command.op) {
        case 1: frames_.erase(std::remove_if(frames_.begin(), frames_.end(), is_short), frames_.end()); break;
        case 2: free_long_term(int(command.first)); break;
        case 3: {
            if (std::none_of(frames_.begin(), frames_.end(), is_short)) break;
            free_long_term(int(command.second));
            Frame& frame = *std::find_if(frames_.begin(), frames_.end(), is_short);
            frame.short_term = false;
            frame.reference.long_term = true;
            frame.long_term_frame_idx = int(command.second);
            break;
        }
        case 4:
            for (int index = int(command.first); index < 16; ++index) free_long_term(index);
            break;
        case 5: frames_.clear(); break;
        case 6:
            free_long_term(int(command.first));
            own.reference.long_term = true;
            own.long_term_frame_idx = int(command.first);
            break;
        default: break;
    }
}

void Dpb::end(const SliceHeader& header, CurrentPicture& current, std::shared_ptr<const MotionStore> motion) {
    if (!current.reference) return;
    const Sps& sps = *header.sps;
    Frame own;
    own.reference.tag = current.tag;
    own.reference.motion = std::move(motion);
    if (header.idr) {
        frames_.clear();
        own.reference.long_term = header.long_term_reference;
    } else if (header.adaptive_marking) {
        for (const MarkingCommand& command : header.marking) execute(command, current, own);
    }
    const bool reset = !header.idr && has_operation_5(header);
    if (reset) {
        const int32_t poc = std::min(current.top, current.bottom);  // tempPicOrderCnt
        current.top -= poc;
        current.bottom -= poc;
        current.tag->poc = 0;
        current.frame_num = 0;
    }
    own.short_term = !own.reference.long_term;
    own.frame_num = own.frame_num_wrap = current.frame_num;
    if (own.short_term) {  // two frames of one frame_num, as only broken streams have them, could not be told apart
        frames_.erase(
            std::remove_if(frames_.begin(), frames_.end(),
                           [&](const Frame& frame) { return frame.short_term && frame.frame_num == own.frame_num; }),
            frames_.end());
    }
    while (frames_.size() >= capacity(sps)) slide();
    frames_.push_back(std::move(own));
    order_.reference({current.top, current.bottom}, reset);
    prev_ref_frame_num_ = current.frame_num;
}

}  // namespace edgecvar::h264
