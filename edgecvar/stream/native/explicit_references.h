// What is kept of a slice's references where each weighs as its header says.
#pragma once

#include <vector>

#include "motion_store.h"

namespace edgecvar {

// By the lists of a slice, and by its header's pred_weight_table where there is one.
template <class SliceHeader>
SliceReferences explicit_references(const SliceHeader& header, const std::vector<Reference> (&lists)[2]) {
    SliceReferences references;
    references.type = header.type;
    for (int list = 0; list < 2; ++list) {
        for (const Reference& reference : lists[list]) {
            references.lists[list].push_back(reference.tag);
            references.long_term[list].push_back(reference.long_term);
        }
    }
    if (!header.explicit_weights) return references;
    references.weighting = 1;
    references.luma_log2_denom = header.luma_log2_denom;
    references.chroma_log2_denom = header.chroma_log2_denom;
    references.weights.assign(header.weights.begin(), header.weights.end());
    return references;
}

}  // namespace edgecvar
