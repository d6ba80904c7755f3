// Merge candidates on constructed pictures, with answers worked out by hand (8.5.3.2.2 to 8.5.3.2.5, 6.4.2).
#include <cstdio>

#include "check.h"
#include "hevc/motion.h"
#include "motion_scene.h"

using namespace edgecvar;
using namespace edgecvar::hevc;

namespace {

const Motion INTRA{};

// Five that differ, and the vectors they have.
void put_different(Scene& scene) {
    put_all(scene, from_zero(0, 1, 0), from_zero(0, 2, 0), from_zero(0, 3, 0), from_zero(0, 4, 0), from_zero(0, 5, 0));
}

int first_x(Scene& scene, const PredictionUnit& unit, int merge_idx) { return scene.merged(unit, merge_idx).mv[0].x; }

void check_spatial_order() {
    Scene scene;
    put_different(scene);
    CHECK(scene.merged(UNIT, 0) == from_zero(0, 2, 0));  // A1
    CHECK(scene.merged(UNIT, 1) == from_zero(0, 4, 0));  // B1
    CHECK(scene.merged(UNIT, 2) == from_zero(0, 3, 0));  // B0
    CHECK(scene.merged(UNIT, 3) == from_zero(0, 1, 0));  // A0
    CHECK(scene.merged(UNIT, 4) == from_two(0, 0, 0, 0, 0, 0));  // not B2: there are four before it
    scene.put(A0.x, A0.y, INTRA);
    CHECK(scene.merged(UNIT, 3) == from_zero(0, 5, 0));  // B2
}

void check_spatial_comparisons() {
    Scene scene;
    const Motion alike = from_two(0, 7, -7, 1, 3, 3);
    put_all(scene, alike, alike, alike, alike, alike);
    CHECK(scene.merged(UNIT, 0) == alike);
    CHECK(scene.merged(UNIT, 1) == from_two(0, 0, 0, 0, 0, 0));
    // B1 is left out as it is like A1, and B0 and B2 are compared with it all the same; A0 is like B0 and not compared.
    const Motion other = from_zero(1, 7, -7);
    put_all(scene, other, alike, alike, alike, other);
    CHECK(scene.merged(UNIT, 1) == other);  // A0
    CHECK(scene.merged(UNIT, 2) == other);  // B2
    // Another reference, or another vector of list 1, is another motion.
    put_all(scene, INTRA, from_zero(0, 1, 1), INTRA, from_zero(1, 1, 1), INTRA);
    CHECK(scene.merged(UNIT, 1) == from_zero(1, 1, 1));
    put_all(scene, INTRA, from_two(0, 1, 1, 0, 1, 1), INTRA, from_two(0, 1, 1, 0, 1, 2), INTRA);
    CHECK(scene.merged(UNIT, 1) == from_two(0, 1, 1, 0, 1, 2));
    // B0 is compared with B1 alone, A0 with A1 alone, B2 with both.
    const Motion a = from_zero(0, 1, 1), b = from_zero(0, 2, 2);
    put_all(scene, b, a, a, b, b);
    CHECK(scene.merged(UNIT, 2) == a);
    CHECK(scene.merged(UNIT, 3) == b);
    put_all(scene, INTRA, a, INTRA, b, a);
    CHECK(scene.merged(UNIT, 2) == from_two(0, 0, 0, 0, 0, 0));
}

void check_availability() {
    {
        Scene scene;  // at the corner of the picture nothing is there, whatever the store holds
        CHECK(scene.merged(whole_unit(0, 0, 3), 0) == from_two(0, 0, 0, 0, 0, 0));
        CHECK(scene.predicts(whole_unit(0, 0, 3), 0, 0, false, 0, 0));
    }
    {
        Scene scene;  // a unit at (8, 8): A0 and B0 come later and hold an earlier picture's motion
        scene.put(7, 15, INTRA);
        scene.put(15, 7, INTRA);
        scene.put(7, 7, from_zero(0, 5, 0));
        CHECK(scene.merged(whole_unit(8, 8, 3), 0) == from_zero(0, 5, 0));
        CHECK(first_x(scene, whole_unit(8, 8, 3), 1) == 0);
    }
    {
        Scene scene;  // the CTBs above are of another slice
        put_different(scene);
        scene.picture.slice_address = {0, 0, 2, 2};
        scene.header.slice_address = 2;
        CHECK(first_x(scene, UNIT, 0) == 2);
        CHECK(first_x(scene, UNIT, 1) == 1);
        CHECK(first_x(scene, UNIT, 2) == 0);
    }
    {
        Scene scene;  // part 1 of four has part 2 below to its left, which is parsed after it
        const PredictionUnit part{32, 32, 4, 40, 32, 8, 8, PartMode::FOUR, 1};
        scene.put(39, 39, from_zero(0, 6, 0));  // A1, part 0
        scene.put(47, 31, INTRA);
        scene.put(48, 31, INTRA);
        scene.put(39, 31, INTRA);
        CHECK(scene.merged(part, 0) == from_zero(0, 6, 0));
        CHECK(first_x(scene, part, 1) == 0);
        // Part 3 has part 1 above it, part 2 beside it and part 0 across.
        const PredictionUnit last{32, 32, 4, 40, 40, 8, 8, PartMode::FOUR, 3};
        scene.put(39, 47, from_zero(0, 7, 0));
        scene.put(47, 39, from_zero(0, 8, 0));
        CHECK(first_x(scene, last, 0) == 7);
        CHECK(first_x(scene, last, 1) == 8);
        CHECK(first_x(scene, last, 2) == 6);
        CHECK(first_x(scene, last, 3) == 0);  // neither A0 nor B0
    }
}

void check_second_parts() {
    for (const PartMode mode : {PartMode::TWO_COLUMNS, PartMode::COLUMNS_LEFT, PartMode::COLUMNS_RIGHT}) {
        Scene scene;  // the second column is not merged with the first
        const PredictionUnit part{32, 32, 4, 40, 32, 8, 16, mode, 1};
        scene.put(39, 47, from_zero(0, 1, 0));
        scene.put(47, 31, from_zero(0, 2, 0));
        scene.put(48, 31, INTRA);
        scene.put(39, 31, INTRA);
        CHECK(first_x(scene, part, 0) == 2);
        CHECK(scene.predicts(part, 0, 0, false, 1, 0));  // and is predicted from it
    }
    for (const PartMode mode : {PartMode::TWO_ROWS, PartMode::ROWS_UP, PartMode::ROWS_DOWN}) {
        Scene scene;
        const PredictionUnit part{48, 32, 4, 48, 40, 16, 8, mode, 1};
        scene.put(47, 47, INTRA);
        scene.put(47, 48, INTRA);
        scene.put(63, 39, from_zero(0, 1, 0));
        scene.put(47, 39, from_zero(0, 2, 0));
        CHECK(first_x(scene, part, 0) == 2);
        CHECK(scene.predicts(part, 0, 0, false, 1, 0));
    }
    Scene scene;  // first parts are not restricted
    put_different(scene);
    PredictionUnit part{48, 32, 3, 48, 32, 4, 8, PartMode::TWO_COLUMNS, 0};
    CHECK(first_x(scene, part, 0) == 2);
    part = {48, 32, 3, 48, 32, 8, 4, PartMode::TWO_ROWS, 0};
    scene.put(47, 35, from_zero(0, 6, 0));
    CHECK(first_x(scene, part, 0) == 6);
    CHECK(first_x(scene, part, 1) == 4);
}

void check_merge_regions() {
    Scene scene;
    const PredictionUnit unit = whole_unit(56, 32, 3);  // A1 (55, 39), B1 (63, 31), B2 (55, 31)
    scene.put(55, 39, from_zero(0, 1, 0));
    scene.put(63, 31, from_zero(0, 2, 0));
    scene.put(55, 31, from_zero(0, 3, 0));
    CHECK(first_x(scene, unit, 0) == 1);
    scene.pps->parallel_merge_log2 = 4;  // A1 is in the unit's own region of 16x16
    CHECK(first_x(scene, unit, 0) == 2);
    CHECK(first_x(scene, unit, 1) == 3);
    CHECK(scene.predicts(unit, 0, 0, false, 1, 0));  // regions are nothing to predicted vectors

    // In a unit of 8x8 both parts have the candidates of the whole, from level 3 on.
    put_different(scene);
    const PredictionUnit part{48, 32, 3, 52, 32, 4, 8, PartMode::TWO_COLUMNS, 1};
    scene.pps->parallel_merge_log2 = 2;
    CHECK(first_x(scene, part, 0) == 4);  // B1: A1 is the first part
    scene.pps->parallel_merge_log2 = 3;
    CHECK(first_x(scene, part, 0) == 2);
    CHECK(first_x(scene, part, 1) == 4);
    // In a larger one they have their own.
    const PredictionUnit larger{48, 32, 4, 56, 32, 8, 16, PartMode::TWO_COLUMNS, 1};
    scene.put(55, 47, from_zero(0, 9, 0));
    scene.put(63, 31, from_zero(0, 8, 0));
    CHECK(first_x(scene, larger, 0) == 8);
}

void check_small_units() {
    Scene scene;
    const Motion both = from_two(1, 5, 6, 0, 7, 8);
    put_all(scene, INTRA, both, INTRA, INTRA, INTRA);
    CHECK(scene.merged({48, 32, 3, 48, 32, 4, 8, PartMode::TWO_COLUMNS, 0}, 0) == from_zero(1, 5, 6));
    CHECK(scene.merged(UNIT, 0) == both);
    scene.put(47, 35, both);
    CHECK(scene.merged({48, 32, 3, 48, 32, 8, 4, PartMode::TWO_ROWS, 0}, 0) == from_zero(1, 5, 6));
    scene.pps->parallel_merge_log2 = 3;
    CHECK(scene.merged({48, 32, 3, 52, 32, 4, 8, PartMode::TWO_COLUMNS, 1}, 0) == from_zero(1, 5, 6));
    CHECK(scene.merged(UNIT, 0) == both);
    put_all(scene, INTRA, from_one(0, 3, 3), INTRA, INTRA, INTRA);
    CHECK(scene.merged({48, 32, 3, 52, 32, 4, 8, PartMode::TWO_COLUMNS, 1}, 0) == from_one(0, 3, 3));
}

void check_combined() {
    Scene scene;
    put_all(scene, INTRA, from_zero(0, 1, 1), INTRA, from_one(0, 2, 2), INTRA);
    CHECK(scene.merged(UNIT, 2) == from_two(0, 1, 1, 0, 2, 2));  // lists of 0 and 1; (1, 0) lacks both
    CHECK(scene.merged(UNIT, 3) == from_two(0, 0, 0, 0, 0, 0));
    CHECK(scene.merged(UNIT, 4) == from_two(1, 0, 0, 1, 0, 0));
    // The same vector to the same picture (order count 4 in both lists) is no candidate; to another it is.
    put_all(scene, INTRA, from_zero(0, 1, 1), INTRA, from_one(1, 1, 1), INTRA);
    CHECK(scene.merged(UNIT, 2) == from_two(0, 0, 0, 0, 0, 0));
    put_all(scene, INTRA, from_zero(0, 1, 1), INTRA, from_one(1, 1, 2), INTRA);
    CHECK(scene.merged(UNIT, 2) == from_two(0, 1, 1, 1, 1, 2));
    put_all(scene, INTRA, from_zero(1, 1, 1), INTRA, from_one(1, 1, 1), INTRA);
    CHECK(scene.merged(UNIT, 2) == from_two(1, 1, 1, 1, 1, 1));
    // Three candidates: pairs (0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1).
    put_all(scene, INTRA, from_zero(0, 1, 0), from_two(1, 3, 0, 0, 4, 0), from_one(0, 2, 0), INTRA);
    CHECK(scene.merged(UNIT, 3) == from_two(0, 1, 0, 0, 2, 0));  // (0, 1)
    CHECK(scene.merged(UNIT, 4) == from_two(0, 1, 0, 0, 4, 0));  // (0, 2)
    // Four: only one place is left, and (0, 1) and (1, 0) lack a list.
    put_all(scene, from_one(1, 9, 9), from_zero(0, 1, 0), from_zero(1, 3, 0), from_zero(0, 2, 0), INTRA);
    CHECK(scene.merged(UNIT, 4) == from_two(0, 1, 0, 1, 9, 9));  // (0, 3)
    // (0, 1) and (0, 2) are the same vector to the same picture; (0, 3) goes before (3, 0).
    const Motion same = from_one(1, 1, 0);
    put_all(scene, same, from_two(0, 1, 0, 0, 2, 0), INTRA, same, from_two(0, 3, 0, 0, 4, 0));
    CHECK(scene.merged(UNIT, 4) == from_two(0, 1, 0, 0, 4, 0));
    // One alone is combined with nothing, and nothing is in P slices.
    put_all(scene, INTRA, from_two(0, 1, 0, 0, 2, 0), INTRA, INTRA, INTRA);
    CHECK(scene.merged(UNIT, 1) == from_two(0, 0, 0, 0, 0, 0));
    CHECK(scene.merged(UNIT, 2) == from_two(1, 0, 0, 1, 0, 0));
    CHECK(scene.merged(UNIT, 3) == from_two(0, 0, 0, 0, 0, 0));  // there are two references: 0 again
}

void check_zero_candidates() {
    Scene scene;
    const PredictionUnit corner = whole_unit(0, 0, 4);
    scene.header.num_ref_idx[1] = 1;  // the lesser of the two counts
    CHECK(scene.merged(corner, 1) == from_two(0, 0, 0, 0, 0, 0));
    CHECK(!scene.slice.used_temporal);
    scene.be(SliceType::P);
    CHECK(scene.merged(corner, 0) == from_zero(0, 0, 0));
    CHECK(scene.merged(corner, 1) == from_zero(1, 0, 0));
    CHECK(scene.merged(corner, 2) == from_zero(0, 0, 0));
}

void check_store() {
    Scene scene;
    const PredictionUnit part{32, 32, 4, 32, 36, 16, 12, PartMode::ROWS_UP, 1};
    const Motion motion = from_two(1, 3, 4, 0, 5, 6);
    store_motion(scene.store, part, motion);
    int set = 0;
    for (int y = 0; y < 16; ++y) {
        for (int x = 0; x < 16; ++x) {
            const size_t at = size_t(y * 16 + x);
            const bool inside = x >= 8 && x < 12 && y >= 9 && y < 12;
            const Motion found{{scene.store.mv[at], scene.store.mv[256 + at]},
                               {scene.store.ref[at], scene.store.ref[256 + at]}};
            CHECK(found == (inside ? motion : from_two(0, 999, 999, 0, 999, 999)));
            set += inside;
        }
    }
    CHECK(set == 12);
    MotionStore single = left_over_store(false);
    store_motion(single, part, motion);
    CHECK(single.ref[9 * 16 + 8] == 1 && single.ref[256 + 9 * 16 + 8] == -1);
    CHECK(single.mv[256 + 9 * 16 + 8].x == 0);
}

}  // namespace

int main() {
    check_spatial_order();
    check_spatial_comparisons();
    check_availability();
    check_second_parts();
    check_merge_regions();
    check_small_units();
    check_combined();
    check_zero_candidates();
    check_store();
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
