// What is kept of a slice's references: tags, and explicit or implicit weights (ITU-T H.264, 8.4.2.3).
#include "h264/slice_references.h"

#include "explicit_references.h"
#include "h264/direct.h"

namespace edgecvar::h264 {

namespace {

std::vector<std::vector<int16_t>> implicit_weights(const std::vector<Reference> (&lists)[2], int32_t poc, bool& plain) {
    std::vector<std::vector<int16_t>> weights;
    plain = true;
    for (const Reference& zero : lists[0]) {
        weights.emplace_back();
        for (const Reference& one : lists[1]) {
            int factor = 0, weight = 32;
            const bool scales = !zero.long_term && !one.long_term &&
                                dist_scale_factor(poc, zero.tag->poc, one.tag->poc, factor);
            if (scales && factor >> 2 >= -64 && factor >> 2 <= 128) weight = factor >> 2;
            plain &= weight == 32;
            weights.back().push_back(int16_t(weight));
        }
    }
    return weights;
}

}  // namespace

SliceReferences references_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2], int32_t poc) {
    SliceReferences references = explicit_references(header, lists);
    if (!header.explicit_weights && header.type == SliceType::B && header.pps->weighted_bipred_idc == 2) {
        references.weighting = 2;
        references.implicit = implicit_weights(lists, poc, references.implicit_plain);
    }
    return references;
}

size_t entries_of(const SliceHeader& header) {
    const size_t zero = size_t(header.num_ref_idx[0]), one = size_t(header.num_ref_idx[1]);
    const bool implicit = header.type == SliceType::B && header.pps->weighted_bipred_idc == 2;
    const size_t weights = header.explicit_weights ? sizeof(header.weights) / 16 : 0;
    return sizeof(SliceReferences) / 16 + zero + one + weights + (implicit ? zero * (2 + one / 8) : 0);
}

}  // namespace edgecvar::h264
