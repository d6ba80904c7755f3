// Predicted vectors of prediction units that are not merged (ITU-T H.265, 8.5.3.2.6 and 8.5.3.2.7); motion is stored.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "hevc/motion.h"
#include "hevc/neighbours.h"
#include "hevc/temporal.h"

namespace edgecvar::hevc {

namespace {

// What is predicted: a vector to a reference, and what that is.
struct Target {
    const SliceState& slice;
    int list;
    int32_t poc;
    bool long_term;

    Target(const SliceState& of, int in, int ref_idx)
        : slice(of), list(in), poc(of.references.lists[in][size_t(ref_idx)]->poc),
          long_term(of.references.long_term[in][size_t(ref_idx)]) {}

    // A neighbour's vector to the same picture. References beyond the list are none (-1), or, in a broken stream, of an
    // earlier slice of the same address.
    bool same(const Motion& motion, MotionVector& vector) const {
        for (const int from : {list, 1 - list}) {
            const size_t ref = size_t(motion.ref[from]);
            if (ref >= slice.references.lists[from].size() || slice.references.lists[from][ref]->poc != poc) continue;
            vector = motion.mv[from];
            return true;
        }
        return false;
    }

    // A neighbour's vector to whatever picture, scaled if both are short-term references.
    bool any(const Motion& motion, MotionVector& vector) const {
        for (const int from : {list, 1 - list}) {
            const size_t ref = size_t(motion.ref[from]);
            if (ref >= slice.references.lists[from].size() || slice.references.long_term[from][ref] != long_term)
                continue;
            vector = motion.mv[from];
            const int32_t theirs = slice.references.lists[from][ref]->poc;
            if (!long_term && theirs != poc) {
                const int64_t own = slice.picture.poc;
                vector = scaled_vector(vector, own - theirs, own - poc);
            }
            return true;
        }
        return false;
    }
};

// Neighbours on one side, in their order.
template <int N>
struct Side {
    Motion motion[N];
    int count = 0;

    void add_corner(const SliceState& slice, const PredictionUnit& unit, int x, int y) {
        count += motion_at(slice, unit, x, y, motion[count]);
    }
    void add_edge(const SliceState& slice, const PredictionUnit& unit, int x, int y) {
        count += motion_before(slice, unit, x, y, motion[count]);
    }
    bool same(const Target& target, MotionVector& vector) const {
        return std::any_of(motion, motion + count, [&](const Motion& m) { return target.same(m, vector); });
    }
    bool any(const Target& target, MotionVector& vector) const {
        return std::any_of(motion, motion + count, [&](const Motion& m) { return target.any(m, vector); });
    }
};

// So many columns by powers of two, whose rows are written without a loop.
template <int N>
void store_columns(MotionVector* vectors, int8_t* references, size_t stride, int columns, size_t rows,
                   MotionVector vector, int8_t reference) {
    if (columns & N) {
        for (size_t row = 0; row < rows; ++row) {
            std::fill_n(vectors + row * stride, N, vector);
            std::memset(references + row * stride, reference, N);
        }
        vectors += N;
        references += N;
    }
    if constexpr (N > 1) store_columns<N / 2>(vectors, references, stride, columns, rows, vector, reference);
}

}  // namespace

MotionVector predicted_vector(SliceState& slice, const PredictionUnit& unit, int list, int ref_idx, bool second) {
    const Target target(slice, list, ref_idx);
    const int left = unit.x - 1, top = unit.y - 1, right = unit.x + unit.width, bottom = unit.y + unit.height;
    MotionVector a{0, 0}, b{0, 0};
    Side<2> beside;
    beside.add_corner(slice, unit, left, bottom);
    beside.add_edge(slice, unit, left, bottom - 1);
    bool has_a = beside.same(target, a) || beside.any(target, a);
    if (has_a && !second) return a;

    Side<3> above;
    above.add_corner(slice, unit, right, top);
    above.add_edge(slice, unit, right - 1, top);
    above.add_edge(slice, unit, left, top);
    bool has_b = above.same(target, b);
    if (beside.count == 0) {  // isScaledFlagLX is 0
        has_a = has_b;
        a = b;
        has_b = above.any(target, b);
    }
    if (has_a && !second) return a;
    if (has_b && has_a && same_vector(a, b)) has_b = false;
    if (has_b && second == has_a) return b;
    // What is left is second to one candidate, or first: the temporal one, else 0.
    MotionVector temporal{0, 0};
    const bool matters = second == (has_a || has_b);
    if (matters && !temporal_vector(slice, unit, list, ref_idx, temporal)) temporal = {0, 0};
    return temporal;
}

void store_motion(MotionStore& store, const PredictionUnit& unit, const Motion& motion) {
    const size_t stride = size_t(store.width), rows = size_t(unit.height >> 2);
    const int lists = store.two_lists ? 2 : 1;
    size_t at = size_t(unit.y >> 2) * stride + size_t(unit.x >> 2);
    for (int list = 0; list < lists; ++list, at += stride * size_t(store.height)) {
        store_columns<16>(store.mv.data() + at, store.ref.data() + at, stride, unit.width >> 2, rows, motion.mv[list],
                          motion.ref[list]);
    }
}

}  // namespace edgecvar::hevc
