// Predicted and temporal vectors on constructed pictures, with answers worked out by hand (8.5.3.2.6 to 8.5.3.2.9).
#include <cstdio>

#include "check.h"
#include "hevc/motion.h"
#include "hevc/temporal.h"
#include "motion_scene.h"

using namespace edgecvar;
using namespace edgecvar::hevc;

namespace {

const Motion INTRA{};

bool scales(int x, int y, int64_t from, int64_t to, int to_x, int to_y) {
    const MotionVector scaled = scaled_vector({int16_t(x), int16_t(y)}, from, to);
    return scaled.x == to_x && scaled.y == to_y;
}

void check_scaling() {
    CHECK(scales(20, -20, 8, 4, 10, -10));       // tx 2048, factor 128
    CHECK(scales(1, -1, 8, 4, 0, 0));            // (128 + 127) >> 8 on either side of 0
    CHECK(scales(3, -3, 8, 4, 1, -1));
    CHECK(scales(20, -20, -4, 8, -40, 40));      // tx -4096, factor -512
    CHECK(scales(10, 100, 3, 1, 3, 33));         // tx 5461, factor 85
    CHECK(scales(1000, -1000, 1, 100, 15996, -15996));   // factor 25600 is clipped to 4095
    CHECK(scales(1000, -1000, 1, -100, -16000, 16000));  // and to -4096
    CHECK(scales(32767, -32768, 1, 8, 32767, -32768));
    CHECK(scales(-32768, 32767, 1, -100, 32767, -32768));
    CHECK(scales(100, 0, 1000, 64, 50, 0));      // 1000 is clipped to 127: tx 129, factor 129
    CHECK(scales(100, 0, 64, -1000, -200, 0));   // -1000 to -128: tx 256, factor -512
    CHECK(scales(5, 6, 0, 7, 5, 6));
    CHECK(scales(5, 6, int64_t(1) << 32, int64_t(1) << 32, 5, 6));
}

void check_beside() {
    Scene scene;
    put_all(scene, from_zero(0, 1, 0), from_zero(0, 2, 0), from_zero(0, 3, 0), from_zero(0, 4, 0), from_zero(0, 5, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 1, 0));  // A0
    CHECK(scene.predicts(UNIT, 0, 0, true, 3, 0));   // B0
    scene.put(A0.x, A0.y, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 2, 0));  // A1
    // The same picture in A1 goes before another in A0, and list 1 may name it (4 is ref_idx 1 there).
    scene.put(A0.x, A0.y, from_zero(1, 1, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 2, 0));
    scene.put(A0.x, A0.y, from_two(1, 1, 0, 1, 6, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 6, 0));
    CHECK(scene.predicts(UNIT, 1, 1, false, 6, 0));
    // None is of that picture: that of A0, scaled, list X before list Y.
    put_all(scene, from_two(1, 8, -8, 0, 6, 6), from_zero(1, 16, 16), INTRA, INTRA, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 4, -4));   // distance 8 to 4
    CHECK(scene.predicts(UNIT, 1, 1, false, -6, -6));  // list 1, distance -4 to 4
    scene.put(A0.x, A0.y, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 8, 8));
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
}

void check_above() {
    Scene scene;
    // Blocks above are not scaled where one beside is inter, whatever it refers to.
    put_all(scene, INTRA, from_zero(0, 2, 0), from_zero(1, 8, 8), from_zero(0, 4, 0), from_zero(0, 5, 0));
    CHECK(scene.predicts(UNIT, 0, 0, true, 4, 0));  // B1, the first of the same picture
    put_all(scene, INTRA, from_zero(0, 2, 0), from_zero(1, 8, 8), from_zero(1, 8, 8), from_zero(1, 8, 8));
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
    // Nothing beside: the first of the same picture is A, the first of any, scaled, is B.
    put_all(scene, INTRA, INTRA, from_zero(1, 8, 8), from_zero(0, 6, 0), INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 6, 0));
    CHECK(scene.predicts(UNIT, 0, 0, true, 4, 4));
    // Both are the same: one.
    put_all(scene, INTRA, INTRA, INTRA, from_zero(0, 6, 0), from_zero(0, 7, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 6, 0));
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
    // No A, but B by scaling.
    put_all(scene, INTRA, INTRA, INTRA, INTRA, from_zero(1, 8, -8));
    CHECK(scene.predicts(UNIT, 0, 0, false, 4, -4));
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
    // Beside is inter, and has nothing fitting: B alone, unscaled.
    scene.references.long_term[0][1] = true;
    put_all(scene, INTRA, from_zero(1, 1, 1), from_one(0, 8, 8), INTRA, from_zero(0, 9, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 9, 0));
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
}

void check_long_term() {
    Scene scene;
    refer(scene.references, 0, {{4}, {0, true}});
    refer(scene.references, 1, {{12, true}, {4}});
    // Short and long do not predict each other.
    put_all(scene, from_zero(1, 8, 8), INTRA, INTRA, INTRA, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 0, 0));
    CHECK(scene.predicts(UNIT, 0, 1, false, 8, 8));
    // Long and long do, without scaling; list Y where list X does not agree.
    CHECK(scene.predicts(UNIT, 1, 0, false, 8, 8));
    put_all(scene, from_two(0, 3, 3, 0, 8, 8), INTRA, INTRA, INTRA, INTRA);
    CHECK(scene.predicts(UNIT, 0, 1, false, 8, 8));
}

void check_temporal_place() {
    Scene scene;
    scene.collocate({{8}, {4}}, {{16}});
    const PredictionUnit unit = whole_unit(0, 0, 4);
    CHECK(scene.predicts(unit, 0, 0, false, 0, 0));
    CHECK(scene.slice.used_temporal);
    scene.put_collocated(0, 0, from_zero(0, 1, 1));     // the centre (8, 8) is kept at (0, 0)
    CHECK(scene.predicts(unit, 0, 0, false, 1, 1));     // distance 4 and 4
    scene.put_collocated(20, 20, from_zero(0, 9, 9));   // not kept
    CHECK(scene.predicts(unit, 0, 0, false, 1, 1));
    scene.put_collocated(16, 16, from_zero(0, 2, 2));   // below to the right
    CHECK(scene.predicts(unit, 0, 0, false, 2, 2));
    CHECK(scene.predicts(unit, 0, 0, true, 0, 0));
    const PredictionUnit low = whole_unit(0, 16, 4);    // (16, 32) is in the CTB row below
    scene.put(15, 15, INTRA);
    scene.put(16, 15, INTRA);
    scene.put_collocated(16, 32, from_zero(0, 3, 3));
    scene.put_collocated(0, 16, from_zero(0, 4, 4));
    CHECK(scene.predicts(low, 0, 0, false, 4, 4));
    const PredictionUnit beyond = whole_unit(48, 0, 4);  // (64, 16) is outside; neighbours are made intra
    scene.put(47, 15, INTRA);
    scene.put(47, 16, INTRA);
    scene.put_collocated(48, 0, from_zero(0, 5, 5));
    scene.put_collocated(0, 20, from_zero(0, 6, 6));    // what follows it in the store
    CHECK(scene.predicts(beyond, 0, 0, false, 5, 5));
    scene.sps->coded_height = 48;                       // (48, 48) is outside, in the same CTB row
    const PredictionUnit lowest = whole_unit(32, 32, 4);
    for (const Place place : {Place{31, 47}, Place{31, 31}, Place{47, 31}, Place{48, 31}}) {
        scene.put(place.x, place.y, INTRA);
    }
    scene.put_collocated(32, 32, from_zero(0, 7, 7));
    scene.put_collocated(48, 48, from_zero(0, 8, 8));
    CHECK(scene.predicts(lowest, 0, 0, false, 7, 7));
}

void check_temporal_lists() {
    Scene scene;
    scene.collocate({{8}, {4}}, {{16}, {8}});
    const PredictionUnit unit = whole_unit(0, 0, 4);
    scene.put_collocated(0, 0, from_one(0, 4, 4));  // distance -4: -1 times
    CHECK(scene.predicts(unit, 0, 0, false, -4, -4));
    CHECK(scene.predicts(unit, 1, 0, false, 4, 4));
    scene.put_collocated(0, 0, from_two(1, 8, -8, 1, 20, 20));  // distances 8 and 4
    scene.header.collocated_from_l0 = true;
    CHECK(scene.predicts(unit, 0, 0, false, 20, 20));
    CHECK(scene.predicts(unit, 0, 1, false, 40, 40));
    scene.header.collocated_from_l0 = false;
    CHECK(scene.predicts(unit, 0, 0, false, 4, -4));
    CHECK(scene.predicts(unit, 1, 1, false, 4, -4));
    scene.slice.no_backward_prediction = true;
    CHECK(scene.predicts(unit, 0, 0, false, 4, -4));
    CHECK(scene.predicts(unit, 1, 1, false, 20, 20));
}

void check_temporal_references() {
    Scene scene;
    const PredictionUnit unit = whole_unit(0, 0, 4);
    scene.collocate({{8}, {4, true}}, {});
    scene.put_collocated(0, 0, from_zero(1, 8, 8));  // long there, short here
    CHECK(scene.predicts(unit, 0, 0, false, 0, 0));
    scene.references.long_term[0][0] = true;         // long and long: as it is
    CHECK(scene.predicts(unit, 0, 0, false, 8, 8));
    scene.put_collocated(0, 0, from_zero(0, 8, 8));  // short there, long here
    CHECK(scene.predicts(unit, 0, 0, false, 0, 0));
    scene.references.long_term[0][0] = false;
    CHECK(scene.predicts(unit, 0, 0, false, 8, 8));
    // The collocated block's own slice says what its reference is.
    scene.collocated_store.slices.resize(2);
    refer(scene.collocated_store.slices[1], 0, {{4}});
    scene.collocated_store.slice[0] = 1;
    CHECK(scene.predicts(unit, 0, 0, false, 4, 4));
    scene.put_collocated(0, 0, from_zero(1, 8, 8));  // which it lacks, or is itself: broken streams
    CHECK(scene.predicts(unit, 0, 0, false, 0, 0));
    scene.collocated_store.slice[0] = NO_SLICE;
    CHECK(scene.predicts(unit, 0, 0, false, 0, 0));
    scene.collocated_store.slice[0] = 1;
    refer(scene.collocated_store.slices[1], 0, {{12}});
    scene.put_collocated(0, 0, from_zero(0, 8, 8));
    CHECK(scene.predicts(unit, 0, 0, false, 8, 8));
}

void check_temporal_merge() {
    Scene scene;
    scene.collocate({{8}, {4}}, {{16}});
    const PredictionUnit unit = whole_unit(0, 0, 4);
    scene.put_collocated(0, 0, from_zero(1, 8, 8));  // distance 8: to 4 in list 0, to -4 in list 1
    CHECK(scene.merged(unit, 0) == from_two(0, 4, 4, 0, -4, -4));
    CHECK(scene.merged(unit, 1) == from_two(0, 0, 0, 0, 0, 0));
    scene.references.long_term[1][0] = true;
    CHECK(scene.merged(unit, 0) == from_zero(0, 4, 4));
    scene.references.long_term[1][0] = false;
    scene.references.long_term[0][0] = true;
    CHECK(scene.merged(unit, 0) == from_one(0, -4, -4));
    scene.references.long_term[0][0] = false;
    // It comes after the spatial ones and is combined with them.
    scene.put_collocated(48, 32, from_zero(1, 16, 0));
    put_all(scene, INTRA, from_zero(1, 1, 1), INTRA, INTRA, INTRA);
    CHECK(scene.merged(UNIT, 1) == from_two(0, 8, 0, 0, -8, 0));
    CHECK(scene.merged(UNIT, 2) == from_two(1, 1, 1, 0, -8, 0));
    scene.be(SliceType::P);
    CHECK(scene.merged(unit, 0) == from_zero(0, 4, 4));
}

void check_when_temporal_counts() {
    Scene scene;
    scene.collocate({{8}}, {});
    put_all(scene, INTRA, from_zero(0, 1, 0), INTRA, from_zero(0, 2, 0), INTRA);
    scene.put_collocated(48, 32, from_zero(0, 7, 0));
    CHECK(scene.predicts(UNIT, 0, 0, false, 1, 0));
    CHECK(scene.predicts(UNIT, 0, 0, true, 2, 0));
    CHECK(scene.merged(UNIT, 0) == from_zero(0, 1, 0));
    CHECK(scene.merged(UNIT, 1) == from_zero(0, 2, 0));
    CHECK(scene.predicts(whole_unit(0, 0, 4), 0, 0, true, 0, 0));  // second to it or to 0: 0
    CHECK(!scene.slice.used_temporal);
    scene.put(B1.x, B1.y, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, true, 7, 0));
    CHECK(scene.slice.used_temporal);
    scene.slice.used_temporal = false;
    scene.slice.collocated = nullptr;  // lost: what was found instead rests on that
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
    CHECK(scene.slice.used_temporal);
    scene.slice.used_temporal = false;
    scene.header.temporal_mvp = false;
    scene.slice.collocated = &scene.collocated_store;
    CHECK(scene.predicts(UNIT, 0, 0, true, 0, 0));
    CHECK(!scene.slice.used_temporal);
}

void check_broken_references() {
    Scene scene;  // neighbours whose references the slice lacks, as of an earlier slice of the same address
    put_all(scene, from_zero(5, 1, 0), from_one(7, 2, 0), from_two(9, 1, 1, 9, 1, 1), INTRA, INTRA);
    CHECK(scene.predicts(UNIT, 0, 0, false, 0, 0));
    CHECK(scene.predicts(UNIT, 1, 1, true, 0, 0));
    CHECK(scene.merged(UNIT, 3) == from_two(0, 0, 0, 0, 0, 0));
}

}  // namespace

int main() {
    check_scaling();
    check_beside();
    check_above();
    check_long_term();
    check_temporal_place();
    check_temporal_lists();
    check_temporal_references();
    check_temporal_merge();
    check_when_temporal_counts();
    check_broken_references();
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
