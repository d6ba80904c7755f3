// The decoded picture buffer without pictures: order counts, lists and marking (ITU-T H.264, 8.2.1, 8.2.4, 8.2.5), in
// picture_order.cpp, reference_lists.cpp and marking.cpp.
#pragma once

#include <memory>
#include <vector>

#include "h264/syntax.h"
#include "motion_store.h"

namespace edgecvar::h264 {

// A picture that is being decoded, as the buffer sees it.
struct CurrentPicture {
    std::shared_ptr<Tag> tag;
    bool idr = false, reference = false;
    int frame_num = 0;
    bool resets_order = false;  // IDR, or memory_management_control_operation 5: order counts start anew after it
    int32_t top = 0, bottom = 0;  // TopFieldOrderCnt, BottomFieldOrderCnt
};

// Picture order counts of frames, and what they need of the pictures before (8.2.1).
class PictureOrder {
public:
    struct Counts {
        int32_t top = 0, bottom = 0;
        int32_t poc() const { return top < bottom ? top : bottom; }
    };

    // Those of the next picture; Damage where they leave the range of 31 bits, and then nothing has changed.
    Counts next(const SliceHeader& header);
    // Those of a frame that a gap in frame_num infers; with pic_order_cnt_type 0 those of the last reference picture.
    Counts next_inferred(const Sps& sps, int frame_num);
    // After a reference picture; `reset` where it had memory_management_control_operation 5, counts already adjusted.
    void reference(const Counts& counts, bool reset);

private:
    Counts by_lsb(const SliceHeader& header, int64_t& msb) const;
    static Counts by_cycle(const SliceHeader& header, int64_t offset);
    int64_t frame_num_offset(const Sps& sps, int frame_num) const;

    int64_t msb_ = 0, current_msb_ = 0;  // PicOrderCntMsb of the last reference picture, and of the current one
    int lsb_ = 0, current_lsb_ = 0;
    int64_t offset_ = 0;                 // FrameNumOffset of the last picture
    int frame_num_ = 0;                  // of the last picture
    Counts last_reference_;
};

class Dpb {
public:
    // Starts a picture: fills gaps in frame_num (8.2.5.2) and derives its order count (8.2.1). `lost` gets the number
    // of pictures that a gap, not allowed by the SPS, tells of. At most max_num_ref_frames entries are ever kept.
    CurrentPicture begin(const SliceHeader& header, uint32_t number, int& lost);

    // RefPicList0 and 1 of a slice of the current picture (8.2.4), num_ref_idx entries each. Entries for which there
    // is no picture get a lost one (Tag::lost, the order count of the nearest kept picture), so no entry is null.
    void build_lists(const SliceHeader& header, const CurrentPicture& current,
                     std::vector<Reference> (&lists)[2]) const;

    // Ends it: reference marking (8.2.5) by the header of its first slice. `motion` is null for a picture of I slices.
    // With memory_management_control_operation 5 the tag's order count becomes tempPicOrderCnt-adjusted (8.2.1).
    void end(const SliceHeader& header, CurrentPicture& current, std::shared_ptr<const MotionStore> motion);

    // Forgets everything, as at a change of SPS.
    void clear();

    // Whether a frame is kept whose order count is not known (a gap with pic_order_cnt_type 0): lists of B slices
    // leave it out (8.2.4.2.3), so that after a real loss their entries may be other pictures than the encoder's.
    bool order_unknown() const;

private:
    struct Frame {
        Reference reference;
        int frame_num = 0, frame_num_wrap = 0, long_term_frame_idx = 0;
        bool short_term = false, non_existing = false;  // long_term is in `reference`
        bool has_order = true;                          // false where its order count is not known
    };

    void fill_gap(const Sps& sps, int frame_num, uint32_t number);
    void wrap_frame_nums(const Sps& sps, int frame_num);
    void slide();
    void execute(const MarkingCommand& command, CurrentPicture& current, Frame& own);
    void free_long_term(int long_term_frame_idx);
    std::vector<const Frame*> initial_p() const;
    std::vector<const Frame*> initial_b(int32_t poc, int list) const;
    void modify(const SliceHeader& header, int list, std::vector<const Frame*>& entries) const;
    Reference missing(const CurrentPicture& current) const;

    std::vector<Frame> frames_;  // in order of arrival
    PictureOrder order_;
    bool started_ = false;
    int prev_ref_frame_num_ = 0;
};

}  // namespace edgecvar::h264
