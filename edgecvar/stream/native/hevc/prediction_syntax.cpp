// Prediction units: merging, reference indices and vectors (ITU-T H.265, 7.3.8.6 and 7.3.8.9).
#include "hevc/motion.h"
#include "hevc/substream.h"

namespace edgecvar::hevc {

namespace {

// Units of a partition mode, in quarters of the coding unit.
struct Part {
    uint8_t x, y, width, height;
};

constexpr Part PARTS[8][4] = {
    {{0, 0, 4, 4}},
    {{0, 0, 4, 2}, {0, 2, 4, 2}},
    {{0, 0, 2, 4}, {2, 0, 2, 4}},
    {{0, 0, 2, 2}, {2, 0, 2, 2}, {0, 2, 2, 2}, {2, 2, 2, 2}},
    {{0, 0, 4, 1}, {0, 1, 4, 3}},
    {{0, 0, 4, 3}, {0, 3, 4, 1}},
    {{0, 0, 1, 4}, {1, 0, 3, 4}},
    {{0, 0, 3, 4}, {3, 0, 1, 4}},
};
constexpr int PART_COUNT[8] = {1, 2, 2, 4, 2, 2, 2, 2};

}  // namespace

void Substream::use(const Motion& motion) {
    for (int list = 0; list < 2; ++list) {
        if (motion.ref[list] >= 0) slice.used_references[list] |= 1u << (motion.ref[list] & 31);
    }
}

void Substream::skipped_unit(CodingUnit& cu) {
    const PredictionUnit unit = whole_unit(cu);
    const Motion motion = merged_motion(slice, unit, merge_idx());
    use(motion);
    store_motion(*picture_.motion, unit, motion);
}

// Whether the last unit is merged.
bool Substream::inter_units(CodingUnit& cu, int depth) {
    PredictionUnit unit = whole_unit(cu);
    unit.part_mode = cu.part_mode;
    const int quarter_log2 = cu.log2_size - 2;
    bool merged = false;
    for (int part = 0; part < PART_COUNT[int(cu.part_mode)]; ++part) {
        const Part& place = PARTS[int(cu.part_mode)][part];
        unit.part = part;
        unit.x = cu.x + (place.x << quarter_log2);
        unit.y = cu.y + (place.y << quarter_log2);
        unit.width = place.width << quarter_log2;
        unit.height = place.height << quarter_log2;
        merged = prediction_unit(unit, depth);
    }
    return merged;
}

bool Substream::prediction_unit(const PredictionUnit& unit, int depth) {
    const SliceHeader& header = slice.header;
    const bool merged = decision(MERGE_FLAG);
    Motion motion;
    if (merged) {
        motion = merged_motion(slice, unit, merge_idx());
    } else {
        const int lists = header.type == SliceType::B ? inter_pred_idc(unit, depth) : 1;
        for (int list = 0; list < 2; ++list) {
            if (!(lists >> list & 1)) continue;
            const int ref = header.num_ref_idx[list] > 1 ? ref_idx(header.num_ref_idx[list]) : 0;
            MotionVector difference{0, 0};
            if (list == 0 || !header.mvd_l1_zero || lists != 3) difference = mvd_coding();
            const bool second = decision(MVP_FLAG);
            const MotionVector predicted = predicted_vector(slice, unit, list, ref, second);
            motion.ref[list] = int8_t(ref);
            motion.mv[list].x = int16_t(uint16_t(predicted.x) + uint16_t(difference.x));
            motion.mv[list].y = int16_t(uint16_t(predicted.y) + uint16_t(difference.y));
        }
    }
    use(motion);
    store_motion(*picture_.motion, unit, motion);
    return merged;
}

int Substream::merge_idx() {
    const int most = slice.header.max_merge_candidates - 1;
    if (most < 1 || !decision(MERGE_IDX)) return 0;
    int index = 1;
    while (index < most && engine_.bypass()) ++index;
    return index;
}

// A bit for either list.
int Substream::inter_pred_idc(const PredictionUnit& unit, int depth) {
    if (unit.width + unit.height != 12 && decision(INTER_PRED_IDC + depth)) return 3;
    return decision(INTER_PRED_IDC + 4) ? 2 : 1;
}

int Substream::ref_idx(int count) {
    const int most = count - 1;
    int index = 0;
    while (index < most && (index < 2 ? decision(REF_IDX + index) : engine_.bypass())) ++index;
    return index;
}

MotionVector Substream::mvd_coding() {
    const bool coded_x = decision(ABS_MVD_GREATER0_FLAG), coded_y = decision(ABS_MVD_GREATER0_FLAG);
    const bool large_x = coded_x && decision(ABS_MVD_GREATER1_FLAG);
    const bool large_y = coded_y && decision(ABS_MVD_GREATER1_FLAG);
    int x = 0, y = 0;
    if (coded_x) x = engine_.signed_by_bypass(large_x ? abs_mvd_minus2() + 2 : 1);
    if (coded_y) y = engine_.signed_by_bypass(large_y ? abs_mvd_minus2() + 2 : 1);
    return {int16_t(x), int16_t(y)};
}

int Substream::abs_mvd_minus2() {
    int exponent = 1, value = 0;
    while (engine_.bypass()) {
        value += 1 << exponent;
        if (++exponent > 15) damaged("difference of vectors out of range");
    }
    value += int(engine_.bypass_bits(exponent));
    if (value > 32766) damaged("difference of vectors out of range");
    return value;
}

}  // namespace edgecvar::hevc
