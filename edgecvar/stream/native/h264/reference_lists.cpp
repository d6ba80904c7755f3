// Reference picture lists of frames: initialisation and modification (ITU-T H.264, 8.2.4).
#include <algorithm>
#include <cstdlib>

#include "h264/dpb.h"

namespace edgecvar::h264 {

// 8.2.4.2.1: short-term frames by falling PicNum, then long-term ones by rising LongTermPicNum.
std::vector<const Dpb::Frame*> Dpb::initial_p() const {
    std::vector<const Frame*> entries;
    for (const Frame& frame : frames_) entries.push_back(&frame);
    std::stable_sort(entries.begin(), entries.end(), [](const Frame* a, const Frame* b) {
        if (a->short_term != b->short_term) return a->short_term;
        return a->short_term ? a->frame_num_wrap > b->frame_num_wrap : a->long_term_frame_idx < b->long_term_frame_idx;
    });
    return entries;
}

// 8.2.4.2.3: from the current picture backwards in order count and then forwards (list 0), or the other way round
// (list 1); long-term frames last. Frames without an order count are left out.
std::vector<const Dpb::Frame*> Dpb::initial_b(int32_t poc, int list) const {
    std::vector<const Frame*> entries;
    for (const Frame& frame : frames_) {
        if (frame.has_order || frame.reference.long_term) entries.push_back(&frame);
    }
    std::stable_sort(entries.begin(), entries.end(), [=](const Frame* a, const Frame* b) {
        if (a->short_term != b->short_term) return a->short_term;
        if (!a->short_term) return a->long_term_frame_idx < b->long_term_frame_idx;
        const int32_t a_poc = a->reference.tag->poc, b_poc = b->reference.tag->poc;
        const bool a_past = a_poc <= poc, b_past = b_poc <= poc;
        if (a_past != b_past) return a_past == (list == 0);
        return a_past ? a_poc > b_poc : a_poc < b_poc;
    });
    return entries;
}

// 8.2.4.3. A command for a picture that is not there puts a missing one (null) in its place.
void Dpb::modify(const SliceHeader& header, int list, std::vector<const Frame*>& entries) const {
    const int max_pic_num = 1 << header.sps->log2_max_frame_num;
    const size_t active = size_t(header.num_ref_idx[list]);
    int predicted = header.frame_num;  // picNumLXPred
    size_t position = 0;               // refIdxLX
    for (const ListModification& command : header.modifications[list]) {
        if (position >= active) return;
        const bool long_term = command.idc == 2;
        if (!long_term) {
            const int difference = int(command.value);
            predicted = (predicted + (command.idc == 0 ? -difference : difference)) & (max_pic_num - 1);
        }
        const int pic_num = predicted > header.frame_num ? predicted - max_pic_num : predicted;
        const Frame* picked = nullptr;
        for (const Frame& frame : frames_) {
            const bool hit = long_term ? frame.reference.long_term && frame.long_term_frame_idx == int(command.value)
                                       : frame.short_term && frame.frame_num_wrap == pic_num;
            if (hit) picked = &frame;
        }
        const auto at = entries.begin() + std::ptrdiff_t(position);
        const auto later = picked ? std::find(at, entries.end(), picked) : entries.end();
        if (later != entries.end()) {
            std::rotate(at, later, later + 1);
        } else {
            entries.insert(at, picked);
            entries.pop_back();
        }
        ++position;
    }
}

Reference Dpb::missing(const CurrentPicture& current) const {
    Reference reference;
    reference.tag = std::make_shared<Tag>();
    reference.tag->number = current.tag->number;
    reference.tag->poc = current.tag->poc;
    reference.tag->lost = true;
    int64_t nearest = INT64_MAX;
    for (const Frame& frame : frames_) {
        const int64_t distance = std::llabs(int64_t(frame.reference.tag->poc) - current.tag->poc);
        if (frame.non_existing || distance >= nearest) continue;
        nearest = distance;
        reference.tag->poc = frame.reference.tag->poc;
    }
    return reference;
}

void Dpb::build_lists(const SliceHeader& header, const CurrentPicture& current,
                      std::vector<Reference> (&lists)[2]) const {
    std::vector<const Frame*> entries[2];
    if (header.type == SliceType::P) {
        entries[0] = initial_p();
    } else if (header.type == SliceType::B) {
        entries[0] = initial_b(current.tag->poc, 0);
        entries[1] = initial_b(current.tag->poc, 1);
        if (entries[1].size() > 1 && entries[0] == entries[1]) std::swap(entries[1][0], entries[1][1]);
    }
    Reference absent;
    for (int list = 0; list < 2; ++list) {
        entries[list].resize(size_t(header.num_ref_idx[list]), nullptr);
        modify(header, list, entries[list]);
        lists[list].clear();
        for (const Frame* frame : entries[list]) {
            if (!frame && !absent.tag) absent = missing(current);
            lists[list].push_back(frame ? frame->reference : absent);
        }
    }
}

}  // namespace edgecvar::h264
