// Reference picture sets, and what stands for the pictures that are missing of them (ITU-T H.265, 8.3.2 and 8.3.3).
#include <algorithm>
#include <string>

#include "damage.h"
#include "hevc/dpb.h"
#include "hevc/parameter_sets.h"

namespace edgecvar::hevc {

namespace {

bool bla(const SliceHeader& header) { return header.nal_type >= BLA_W_LP && header.nal_type <= BLA_N_LP; }

size_t set_size(const SliceHeader& header) {
    return header.short_term.before.size() + header.short_term.after.size() + header.long_term.size();
}

Reference missing_picture(const CurrentPicture& current, int32_t poc) {
    Reference reference;
    reference.tag = std::make_shared<Tag>();
    reference.tag->number = current.tag->number;
    reference.tag->poc = poc;
    reference.tag->lost = true;
    return reference;
}

// Moves pictures into a set, and lost ones where there are none.
struct Selection {
    const CurrentPicture& current;
    const bool with_unused;        // what only later pictures may refer to is missed, too
    std::vector<Reference>& from;  // what is kept so far
    std::vector<Reference> kept;   // and still is
    int missing = 0;               // of what the picture may refer to

    // The picture whose order count is `poc`, of its least significant bits alone by `mask`; into `set` where it is used.
    void take(int32_t poc, int32_t mask, bool long_term, bool used, std::vector<Reference>& set) {
        const auto found = std::find_if(from.begin(), from.end(), [&](const Reference& reference) {
            return (reference.tag->poc & mask) == poc && (long_term || !reference.long_term);
        });
        if (found != from.end()) {
            kept.push_back(*found);
            from.erase(found);
        } else if (used || with_unused) {
            kept.push_back(missing_picture(current, poc));
            missing += used;
        } else {
            return;
        }
        kept.back().long_term = long_term;
        if (used) set.push_back(kept.back());
    }
};

}  // namespace

bool Dpb::starts_sequence(const SliceHeader& header) const { return starts_ || header.idr() || bla(header); }

void Dpb::end_of_sequence() {
    kept_.clear();
    starts_ = true;
}

CurrentPicture Dpb::begin(const SliceHeader& header, uint32_t number, int& lost) {
    if (set_size(header) >= size_t(header.sps->most_pictures()))
        throw Damage("reference picture set of " + std::to_string(set_size(header)) + " pictures");
    const bool starts = starts_sequence(header);
    CurrentPicture current;
    current.tag = std::make_shared<Tag>();
    current.tag->number = number;
    current.tag->poc = starts ? PictureOrder::first(header) : order_.next(header);
    current.resets_order = starts && (header.irap() || begun_);
    if (header.irap()) leading_cut_ = starts;
    current.unreliable = header.rasl() && leading_cut_;
    if (starts) kept_.clear();
    const bool cut = (starts && header.irap()) || !begun_;
    int missing = 0;
    take_set(header, current, cut, missing);
    lost = cut || current.unreliable ? 0 : missing;
    begun_ = true;
    starts_ = false;
    order_.follow(header, current.tag->poc);
    return current;
}

// 8.3.2: long-term pictures first, as what they take is no short-term picture any more. Pictures of an IRAP picture's
// set are those that RASL pictures will refer to.
void Dpb::take_set(const SliceHeader& header, const CurrentPicture& current, bool with_unused, int& missing) {
    const int32_t span = int32_t(1) << header.sps->log2_max_poc_lsb;
    const int32_t poc = current.tag->poc;
    const auto from = [&](int32_t difference) { return int32_t(int64_t(poc) + difference); };
    before_.clear();
    after_.clear();
    long_term_.clear();
    Selection selection{current, with_unused, kept_, {}};
    for (const LongTermPicture& wanted : header.long_term) {
        const int32_t mask = wanted.has_msb ? -1 : span - 1;
        selection.take(wanted.has_msb ? from(wanted.poc) : wanted.poc, mask, true, wanted.used, long_term_);
    }
    for (const ShortTermPicture& wanted : header.short_term.before) {
        selection.take(from(wanted.delta_poc), -1, false, wanted.used, before_);
    }
    for (const ShortTermPicture& wanted : header.short_term.after) {
        selection.take(from(wanted.delta_poc), -1, false, wanted.used, after_);
    }
    kept_ = std::move(selection.kept);
    missing = selection.missing;
}

void Dpb::end(const CurrentPicture& current, std::shared_ptr<const MotionStore> motion) {
    const int32_t poc = current.tag->poc;
    kept_.erase(std::remove_if(kept_.begin(), kept_.end(),
                               [&](const Reference& reference) { return reference.tag->poc == poc; }),
                kept_.end());  // two pictures of one count, as only broken streams have them, could not be told apart
    kept_.push_back({current.tag, std::move(motion), false});
}

}  // namespace edgecvar::hevc
