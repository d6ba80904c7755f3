// Vectors of the collocated picture, and vectors scaled by distances in time (ITU-T H.265, 8.5.3.2.7 to 8.5.3.2.9).
#include "hevc/temporal.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace edgecvar::hevc {

namespace {

int16_t scaled(int factor, int component) {
    const int product = factor * component;
    return int16_t(std::clamp((product + 127 + (product < 0)) >> 8, -32768, 32767));
}

// The collocated block that covers (x, y), whose motion is that of the corner of its square of 16x16 samples.
bool collocated_vector(const SliceState& slice, int list, int ref_idx, int x, int y, MotionVector& vector) {
    const MotionStore& store = *slice.collocated;
    const size_t square = size_t(y >> 4) * size_t(store.mb_width) + size_t(x >> 4);
    const size_t zero = (size_t(y >> 4) * size_t(store.width) + size_t(x >> 4)) * 4;
    const size_t one = zero + size_t(store.width) * size_t(store.height);
    const bool has_zero = store.ref[zero] >= 0, has_one = store.ref[one] >= 0;
    if (!has_zero && !has_one) return false;
    int from = has_zero ? 0 : 1;
    if (has_zero && has_one) from = slice.no_backward_prediction ? list : int(slice.header.collocated_from_l0);
    const size_t at = from == 0 ? zero : one, ref = size_t(store.ref[at]);

    // A concealed block may name a reference, or a slice, that its picture lacks.
    const size_t index = store.slice[square];
    if (index >= store.slices.size() || ref >= store.slices[index].lists[from].size()) return false;
    const SliceReferences& theirs = store.slices[index];
    const bool long_term = slice.references.long_term[list][size_t(ref_idx)];
    if (theirs.long_term[from][ref] != long_term) return false;
    vector = store.mv[at];
    if (long_term) return true;
    const int64_t distance = int64_t(slice.collocated_tag->poc) - theirs.lists[from][ref]->poc;
    const int64_t own = int64_t(slice.picture.poc) - slice.references.lists[list][size_t(ref_idx)]->poc;
    if (distance != own) vector = scaled_vector(vector, distance, own);
    return true;
}

}  // namespace

MotionVector scaled_vector(MotionVector vector, int64_t from, int64_t to) {
    const int td = int(std::clamp<int64_t>(from, -128, 127)), tb = int(std::clamp<int64_t>(to, -128, 127));
    if (td == 0) return vector;
    const int tx = (16384 + (std::abs(td) >> 1)) / td;
    const int factor = std::clamp((tb * tx + 32) >> 6, -4096, 4095);
    return {scaled(factor, vector.x), scaled(factor, vector.y)};
}

bool temporal_vector(SliceState& slice, const PredictionUnit& unit, int list, int ref_idx, MotionVector& vector) {
    if (!slice.header.temporal_mvp) return false;
    slice.used_temporal = true;  // also where that picture is lost, and nothing is found for that reason
    if (!slice.collocated) return false;
    const int right = unit.x + unit.width, bottom = unit.y + unit.height, ctb = slice.sps.ctb_log2;
    if (unit.cu_y >> ctb == bottom >> ctb && bottom < slice.sps.coded_height && right < slice.sps.coded_width &&
        collocated_vector(slice, list, ref_idx, right, bottom, vector))
        return true;
    return collocated_vector(slice, list, ref_idx, unit.x + (unit.width >> 1), unit.y + (unit.height >> 1), vector);
}

}  // namespace edgecvar::hevc
