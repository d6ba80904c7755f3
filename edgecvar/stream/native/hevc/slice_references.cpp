// What is kept of a slice's references: tags, and explicit weights (ITU-T H.265, 8.5.3.3.4.3).
#include "hevc/slice_references.h"

#include "explicit_references.h"

namespace edgecvar::hevc {

SliceReferences references_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2]) {
    return explicit_references(header, lists);
}

size_t entries_of(const SliceHeader& header) {
    const size_t weights = header.explicit_weights ? sizeof(header.weights) / 16 : 0;
    return sizeof(SliceReferences) / 16 + size_t(header.num_ref_idx[0]) + size_t(header.num_ref_idx[1]) + weights;
}

}  // namespace edgecvar::hevc
