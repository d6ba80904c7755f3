// The decoded picture buffer without pictures: order counts, reference picture sets and lists (ITU-T H.265, 8.1.3 and
// 8.3.1 to 8.3.4), in picture_order.cpp, marking.cpp and reference_lists.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hevc/syntax.h"
#include "motion_store.h"

namespace edgecvar::hevc {

// A picture that is being decoded, as the buffer sees it.
struct CurrentPicture {
    std::shared_ptr<Tag> tag;
    bool resets_order = false;  // order counts start anew with it: NoRaslOutputFlag, or its IRAP picture is lost
    bool unreliable = false;    // a RASL picture, and what it refers to was cut off
};

// Picture order counts, and what they need of the pictures before (8.3.1).
class PictureOrder {
public:
    // That of the first picture of a sequence.
    static int32_t first(const SliceHeader& header) { return header.poc_lsb; }
    // That of the next picture; Damage where it leaves the range.
    int32_t next(const SliceHeader& header) const;
    // After it, with its count.
    void follow(const SliceHeader& header, int32_t poc);

private:
    int32_t previous_ = 0;  // PicOrderCntVal of prevTid0Pic
};

class Dpb {
public:
    // Starts a picture: derives its order count (8.3.1) and takes its reference picture set (8.3.2); what is not in that
    // leaves. In place of each picture that is missing comes a lost one (8.3.3); `lost` gets the number of those that the
    // picture may refer to and that a start in the midst of a stream does not explain. Damage where the set is too large
    // or the count leaves its range; then nothing has changed.
    CurrentPicture begin(const SliceHeader& header, uint32_t number, int& lost);

    // RefPicList0 and 1 of a slice of the current picture (8.3.4), num_ref_idx entries each. An entry for which the set
    // has no picture, as in broken streams, is a lost one: none is null.
    void build_lists(const SliceHeader& header, const CurrentPicture& current,
                     std::vector<Reference> (&lists)[2]) const;

    // Ends it: it may be referred to. `motion` is null for a picture of I slices.
    void end(const CurrentPicture& current, std::shared_ptr<const MotionStore> motion);

    // What comes next is the first picture of a sequence: after an end of sequence or bitstream unit, and at another SPS.
    void end_of_sequence();

    size_t size() const { return kept_.size(); }

private:
    using References = std::vector<Reference>;

    bool starts_sequence(const SliceHeader& header) const;
    void take_set(const SliceHeader& header, const CurrentPicture& current, bool with_unused, int& missing);

    References kept_;                         // in order of arrival
    References before_, after_, long_term_;  // RefPicSetStCurrBefore, RefPicSetStCurrAfter, RefPicSetLtCurr
    PictureOrder order_;
    bool begun_ = false;         // there has been a picture
    bool starts_ = true;         // the next picture is the first of a sequence
    bool leading_cut_ = true;    // NoRaslOutputFlag of the last IRAP picture, and before the first one
};

}  // namespace edgecvar::hevc
