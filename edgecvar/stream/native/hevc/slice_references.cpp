// What is kept of a slice's references: tags, and explicit weights (ITU-T H.265, 8.5.3.3.4.3).
#include "hevc/slice_references.h"

namespace edgecvar::hevc {

SliceReferences references_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2]) {
    SliceReferences references;
    references.type = header.type;
    for (int list = 0; list < 2; ++list) {
        for (const Reference& reference : lists[list]) {
            references.lists[list].push_back(reference.tag);
            references.long_term[list].push_back(reference.long_term);
        }
    }
    if (header.explicit_weights) {
        references.weighting = 1;
        references.luma_log2_denom = header.luma_log2_denom;
        references.chroma_log2_denom = header.chroma_log2_denom;
        references.weights.assign(header.weights.begin(), header.weights.end());
    }
    return references;
}

size_t entries_of(const SliceHeader& header) {
    const size_t weights = header.explicit_weights ? sizeof(header.weights) / 16 : 0;
    return sizeof(SliceReferences) / 16 + size_t(header.num_ref_idx[0]) + size_t(header.num_ref_idx[1]) + weights;
}

}  // namespace edgecvar::hevc
