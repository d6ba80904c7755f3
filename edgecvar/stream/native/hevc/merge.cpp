// Merge candidates: spatial, temporal, combined and zero ones (ITU-T H.265, 8.5.3.2.2 to 8.5.3.2.5).
#include <algorithm>
#include <array>

#include "hevc/motion.h"
#include "hevc/neighbours.h"
#include "hevc/temporal.h"

namespace edgecvar::hevc {

namespace {

constexpr int MOST_SPATIAL = 4;

struct Candidates {
    std::array<Motion, 5> list;
    int count = 0;

    void add(const Motion& motion) { list[size_t(count++)] = motion; }
};

bool side_by_side(PartMode mode) {
    return mode == PartMode::TWO_COLUMNS || mode == PartMode::COLUMNS_LEFT || mode == PartMode::COLUMNS_RIGHT;
}

bool one_above_another(PartMode mode) {
    return mode == PartMode::TWO_ROWS || mode == PartMode::ROWS_UP || mode == PartMode::ROWS_DOWN;
}

// Whether (x, y) is outside of the unit's own merge estimation region.
bool elsewhere(const SliceState& slice, const PredictionUnit& unit, int x, int y) {
    return ((unit.x ^ x) | (unit.y ^ y)) >> slice.pps.parallel_merge_log2 != 0;
}

bool corner_at(const SliceState& slice, const PredictionUnit& unit, int x, int y, Motion& motion) {
    return elsewhere(slice, unit, x, y) && motion_at(slice, unit, x, y, motion);
}

bool edge_at(const SliceState& slice, const PredictionUnit& unit, int x, int y, Motion& motion) {
    return elsewhere(slice, unit, x, y) && motion_before(slice, unit, x, y, motion);
}

// Spatial candidates, no more than it takes to have one at merge_idx. A candidate that is left out because another is
// alike still counts where a third is compared with it.
void add_spatial(const SliceState& slice, const PredictionUnit& unit, int merge_idx, Candidates& found) {
    const int left = unit.x - 1, top = unit.y - 1, right = unit.x + unit.width, bottom = unit.y + unit.height;
    Motion a1, b1, other;
    const bool has_a1 = !(unit.part == 1 && side_by_side(unit.part_mode)) && edge_at(slice, unit, left, bottom - 1, a1);
    if (has_a1) found.add(a1);
    if (found.count > merge_idx) return;
    const bool has_b1 = !(unit.part == 1 && one_above_another(unit.part_mode)) &&
                        edge_at(slice, unit, right - 1, top, b1);
    if (has_b1 && !(has_a1 && same_motion(a1, b1))) found.add(b1);
    if (found.count > merge_idx) return;
    if (corner_at(slice, unit, right, top, other) && !(has_b1 && same_motion(b1, other))) found.add(other);
    if (found.count > merge_idx) return;
    if (corner_at(slice, unit, left, bottom, other) && !(has_a1 && same_motion(a1, other))) found.add(other);
    if (found.count > merge_idx || found.count == MOST_SPATIAL) return;
    if (edge_at(slice, unit, left, top, other) && !(has_a1 && same_motion(a1, other)) &&
        !(has_b1 && same_motion(b1, other)))
        found.add(other);
}

void add_temporal(SliceState& slice, const PredictionUnit& unit, Candidates& found) {
    Motion motion;
    const int lists = slice.header.type == SliceType::B ? 2 : 1;
    for (int list = 0; list < lists; ++list) {
        if (temporal_vector(slice, unit, list, 0, motion.mv[list])) motion.ref[list] = 0;
    }
    if (motion.ref[0] >= 0 || motion.ref[1] >= 0) found.add(motion);
}

// The combined candidate of index `wanted`: list 0 of one original candidate, list 1 of another (Table 8-7). Where there
// are fewer, `made` is how many.
bool combined(const SliceState& slice, const Candidates& original, int wanted, Motion& motion, int& made) {
    static constexpr uint8_t PAIRS[12][2] = {{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1},
                                             {0, 3}, {3, 0}, {1, 3}, {3, 1}, {2, 3}, {3, 2}};
    const auto& lists = slice.references.lists;
    const int pairs = original.count * (original.count - 1);
    for (int i = 0; i < pairs; ++i) {
        const Motion &zero = original.list[PAIRS[i][0]], &one = original.list[PAIRS[i][1]];
        const size_t ref_zero = size_t(zero.ref[0]), ref_one = size_t(one.ref[1]);  // beyond the list: unused
        if (ref_zero >= lists[0].size() || ref_one >= lists[1].size()) continue;
        if (lists[0][ref_zero]->poc == lists[1][ref_one]->poc && same_vector(zero.mv[0], one.mv[1])) continue;
        if (made++ < wanted) continue;
        motion = {{zero.mv[0], one.mv[1]}, {zero.ref[0], one.ref[1]}};
        return true;
    }
    return false;
}

Motion zero_motion(const SliceState& slice, int index) {
    const bool two = slice.header.type == SliceType::B;
    const int zero = slice.header.num_ref_idx[0];
    const int references = two ? std::min(zero, slice.header.num_ref_idx[1]) : zero;
    const int8_t ref = int8_t(index < references ? index : 0);
    return {{{0, 0}, {0, 0}}, {ref, two ? ref : int8_t(-1)}};
}

Motion candidate(SliceState& slice, const PredictionUnit& unit, int merge_idx) {
    Candidates found;
    add_spatial(slice, unit, merge_idx, found);
    if (found.count <= merge_idx) add_temporal(slice, unit, found);
    if (found.count > merge_idx) return found.list[size_t(merge_idx)];
    Motion motion;
    int made = 0;
    const int wanted = merge_idx - found.count;
    if (slice.header.type == SliceType::B && combined(slice, found, wanted, motion, made)) return motion;
    return zero_motion(slice, wanted - made);
}

}  // namespace

Motion merged_motion(SliceState& slice, const PredictionUnit& unit, int merge_idx) {
    Motion motion;
    if (slice.pps.parallel_merge_log2 > 2 && unit.cu_log2_size == 3) {  // singleMCLFlag
        PredictionUnit whole;
        whole.cu_x = whole.x = unit.cu_x;
        whole.cu_y = whole.y = unit.cu_y;
        motion = candidate(slice, whole, merge_idx);
    } else {
        motion = candidate(slice, unit, merge_idx);
    }
    if (unit.width + unit.height == 12 && motion.ref[0] >= 0 && motion.ref[1] >= 0) {
        motion.ref[1] = -1;
        motion.mv[1] = {0, 0};
    }
    return motion;
}

}  // namespace edgecvar::hevc
