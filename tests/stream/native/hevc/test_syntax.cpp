// Contexts, scans, modes and quantization parameters of HEVC on their own (ITU-T H.265, 6.5, 8.4, 8.6, 9.3).
#include <cstdio>
#include <random>
#include <vector>

#include "cabac.h"
#include "check.h"
#include "hevc/coefficients.h"
#include "hevc/contexts.h"
#include "hevc/intra_modes.h"
#include "hevc/picture_state.h"
#include "hevc/quantization.h"
#include "hevc/scans.h"

using namespace edgecvar;
using namespace edgecvar::hevc;

// Weighted sums over the values of FFmpeg's init_values (libavcodec/hevc_cabac.c), by initType; the table here was taken
// from the standard's order as x265 has it (source/common/contexts.h).
struct ElementSum {
    int first, count, sums[3];
};

static void test_initial_values() {
    const ElementSum elements[] = {
        {SPLIT_CU_FLAG, 3, {892, 763, 763}},
        {CU_SKIP_FLAG, 3, {924, 1170, 1170}},
        {PART_MODE, 4, {1570, 1510, 1510}},
        {INTER_PRED_IDC, 5, {2310, 721, 721}},
        {SPLIT_TRANSFORM_FLAG, 3, {843, 682, 924}},
        {CBF_LUMA, 2, {393, 375, 375}},
        {CBF_CHROMA, 4, {1532, 1480, 1450}},
        {LAST_SIG_COEFF_X_PREFIX, 18, {19341, 18037, 18310}},
        {LAST_SIG_COEFF_Y_PREFIX, 18, {19341, 18037, 18310}},
        {CODED_SUB_BLOCK_FLAG, 4, {1399, 1200, 1200}},
        {SIG_COEFF_FLAG, 42, {125778, 132588, 134247}},
        {COEFF_ABS_LEVEL_GREATER1_FLAG, 24, {45268, 47559, 47844}},
        {COEFF_ABS_LEVEL_GREATER2_FLAG, 6, {3192, 2739, 2679}},
        {SAO_MERGE_FLAG, 1, {153, 153, 153}},
        {SAO_TYPE_IDX, 1, {200, 185, 160}},
        {CU_TRANSQUANT_BYPASS_FLAG, 1, {154, 154, 154}},
        {PRED_MODE_FLAG, 1, {154, 149, 134}},
        {PREV_INTRA_LUMA_PRED_FLAG, 1, {184, 154, 183}},
        {INTRA_CHROMA_PRED_MODE, 1, {63, 152, 152}},
        {RQT_ROOT_CBF, 1, {154, 79, 79}},
        {MERGE_FLAG, 1, {154, 110, 154}},
        {MERGE_IDX, 1, {154, 122, 137}},
        {REF_IDX, 2, {462, 459, 459}},
        {MVP_FLAG, 1, {154, 168, 168}},
        {ABS_MVD_GREATER0_FLAG, 1, {154, 140, 169}},
        {ABS_MVD_GREATER1_FLAG, 1, {154, 198, 198}},
        {CU_QP_DELTA_ABS, 2, {462, 462, 462}},
        {TRANSFORM_SKIP_FLAG, 2, {417, 417, 417}},
    };
    int covered = 0;
    for (const ElementSum& element : elements) {
        covered += element.count;
        for (int type = 0; type < 3; ++type) {
            int sum = 0;
            for (int i = 0; i < element.count; ++i) sum += (i + 1) * init_value(type, element.first + i);
            CHECK(sum == element.sums[type]);
        }
    }
    CHECK(covered == CONTEXTS);
}

static void test_initial_states() {
    CHECK(init_type(SliceType::I, false) == 0 && init_type(SliceType::I, true) == 0);
    CHECK(init_type(SliceType::P, false) == 1 && init_type(SliceType::P, true) == 2);
    CHECK(init_type(SliceType::B, false) == 2 && init_type(SliceType::B, true) == 1);
    Contexts contexts;
    init_contexts(contexts, 1, 30);
    CHECK(contexts.states[CU_TRANSQUANT_BYPASS_FLAG] == 1);  // 154: 64 at every qp
    CHECK(contexts.states[CU_SKIP_FLAG] == (63 - 52) << 1);  // 197: (15 * 30 >> 4) + 24 is 52, below 64
}

// One bin after the other, and many at once, from the same bits.
static void test_bypass_bits() {
    std::mt19937 random(1);
    std::vector<uint8_t> bytes(4096 + Payload::PADDING);
    for (uint8_t& byte : bytes) byte = uint8_t(random());
    bytes[0] = 0x40;  // codIOffset below 510
    CabacEngine one, many;
    one.start(bytes.data(), bytes.data() + 4096);
    many = one;
    ContextState state_one = 20, state_many = 20;
    bool same = true;
    for (int round = 0; round < 1500; ++round) {
        const int count = int(random() % 17);
        uint32_t bits = 0;
        for (int i = 0; i < count; ++i) bits = bits << 1 | uint32_t(one.bypass());
        same &= bits == many.bypass_bits(count);
        same &= one.decision(state_one) == many.decision(state_many) && one.position() == many.position();
    }
    CHECK(same);
}

static void test_scans() {
    // The beginning of 6.5.3's order: up to the right, from the left edge on.
    const int diagonal[6][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 2}, {1, 1}, {2, 0}};
    for (int i = 0; i < 6; ++i) {
        CHECK(SCAN_4X4[0][size_t(i)].x == diagonal[i][0] && SCAN_4X4[0][size_t(i)].y == diagonal[i][1]);
        CHECK(SCAN_8X8[0][size_t(i)].x == diagonal[i][0] && SCAN_8X8[0][size_t(i)].y == diagonal[i][1]);
    }
    CHECK(SCAN_4X4[SCAN_HORIZONTAL][5].x == 1 && SCAN_4X4[SCAN_HORIZONTAL][5].y == 1);
    CHECK(SCAN_4X4[SCAN_VERTICAL][4].x == 1 && SCAN_4X4[SCAN_VERTICAL][4].y == 0);
    for (int log2 = 2; log2 <= 5; ++log2) {
        const int side = 1 << (log2 - 2);
        for (int scan = 0; scan < 3; ++scan) {
            for (int i = 0; i < side * side; ++i) {
                const ScanPlace place = sub_block_scan(log2, scan)[i];
                CHECK(sub_block_place(log2, scan, place.x, place.y) == i);
            }
        }
    }
    // A place in the scan and the level's x and y are the same.
    for (int scan = 0; scan < 3; ++scan) {
        for (size_t i = 0; i < 16; ++i) {
            const Level level = level_at(-3, 0, 0) | LEVEL_PLACES[size_t(scan)][i];
            CHECK(value_of(level) == -3 && x_of(level) == SCAN_4X4[size_t(scan)][i].x);
            CHECK(y_of(level) == SCAN_4X4[size_t(scan)][i].y);
        }
    }
}

// Blocks of 4x4 in a coding tree block of 64x64 by MinTbAddrZs, the bits of x and y in turns (6.5.2).
static void test_order_of_blocks() {
    const auto address = [](int x, int y) {
        int order = 0;
        for (int bit = 3; bit >= 0; --bit) order = order << 2 | (y >> bit & 1) << 1 | (x >> bit & 1);
        return order;
    };
    for (int i = 0; i < 256 * 256; ++i) {
        const int x = i & 15, y = i >> 4 & 15, other_x = i >> 8 & 15, other_y = i >> 12;
        CHECK(precedes_in_ctb(64 + 4 * x, 4 * y, 64 + 4 * other_x, 4 * other_y) ==
              (address(x, y) <= address(other_x, other_y)));
    }
}

static void test_intra_modes() {
    const CandidateModes both = candidate_modes(INTRA_DC, INTRA_DC);
    CHECK(both.modes[0] == 0 && both.modes[1] == 1 && both.modes[2] == 26);
    const CandidateModes angular = candidate_modes(34, 34);
    CHECK(angular.modes[0] == 34 && angular.modes[1] == 33 && angular.modes[2] == 3);
    const CandidateModes two = candidate_modes(2, 2);
    CHECK(two.modes[1] == 33 && two.modes[2] == 3);
    CHECK(candidate_modes(10, 26).modes[2] == INTRA_PLANAR);
    CHECK(candidate_modes(0, 26).modes[2] == INTRA_DC);
    CHECK(candidate_modes(1, 0).modes[2] == INTRA_ANGULAR_26);
    // The 32 that remain are the 35 without the candidates, in order.
    const CandidateModes candidates{{26, 0, 1}};
    int expected = 0;
    for (int remaining = 0; remaining < 32; ++remaining, ++expected) {
        while (expected == 0 || expected == 1 || expected == 26) ++expected;
        CHECK(remaining_mode(candidates, remaining) == expected);
    }
    CHECK(chroma_mode(26, 1) == 34 && chroma_mode(10, 1) == 26 && chroma_mode(17, 4) == 17 && chroma_mode(1, 0) == 0);
    CHECK(scan_of_mode(6) == SCAN_VERTICAL && scan_of_mode(14) == SCAN_VERTICAL && scan_of_mode(15) == SCAN_DIAGONAL);
    CHECK(scan_of_mode(22) == SCAN_HORIZONTAL && scan_of_mode(30) == SCAN_HORIZONTAL && scan_of_mode(5) == 0);
}

static void test_quantization() {
    const int table[] = {29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37, 37, 38, 39};
    for (int i = 0; i < 16; ++i) CHECK(chroma_qp(30 + i, 0, 8) == table[i]);
    CHECK(chroma_qp(51, 12, 8) == 51 && chroma_qp(0, -12, 8) == 0 && chroma_qp(0, -12, 10) == 0);
    CHECK(chroma_qp(20, 2, 10) == 34);
    CHECK(luma_qp(51, 1, 8) == 0 && luma_qp(0, -1, 8) == 51);
    CHECK(luma_qp(-12, -1, 10) == 51 && luma_qp(30, -3, 10) == 27);
}

int main() {
    test_initial_values();
    test_initial_states();
    test_bypass_bits();
    test_scans();
    test_order_of_blocks();
    test_intra_modes();
    test_quantization();
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0;
}
