// Reference picture lists: initialisation and modification (ITU-T H.265, 8.3.4).
#include <cstdlib>

#include "hevc/dpb.h"

namespace edgecvar::hevc {

namespace {

// In place of an entry that the set does not have: of the nearest order count there is.
Reference absent(const CurrentPicture& current, const std::vector<Reference>& kept) {
    Reference reference;
    reference.tag = std::make_shared<Tag>();
    reference.tag->number = current.tag->number;
    reference.tag->lost = true;
    reference.tag->poc = current.tag->poc;
    int64_t nearest = INT64_MAX;
    for (const Reference& other : kept) {
        const int64_t distance = std::llabs(int64_t(other.tag->poc) - current.tag->poc);
        if (distance >= nearest) continue;
        nearest = distance;
        reference.tag->poc = other.tag->poc;
    }
    return reference;
}

}  // namespace

// Lists run through the set again and again: RefPicListTemp is as long as is needed, without the copy.
void Dpb::build_lists(const SliceHeader& header, const CurrentPicture& current,
                      std::vector<Reference> (&lists)[2]) const {
    for (int list = 0; list < 2; ++list) {
        const References* const order[3] = {list == 0 ? &before_ : &after_, list == 0 ? &after_ : &before_,
                                            &long_term_};
        std::vector<const Reference*> set;
        for (const References* part : order) {
            for (const Reference& reference : *part) set.push_back(&reference);
        }
        const std::vector<int>& entries = header.list_entries[list];
        lists[list].clear();
        for (size_t i = 0; i < size_t(header.num_ref_idx[list]); ++i) {
            size_t at = set.empty() ? 0 : i % set.size();
            if (!entries.empty()) at = i < entries.size() ? size_t(entries[i]) : set.size();
            lists[list].push_back(at < set.size() ? *set[at] : absent(current, kept_));
        }
    }
}

}  // namespace edgecvar::hevc
