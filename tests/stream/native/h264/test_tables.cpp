// Structural truths of the tables of the H.264 core: prefix codes, permutations, monotone ranges, spot values.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "check.h"
#include "h264/cavlc_tables.h"
#include "h264/contexts.h"
#include "h264/scan_tables.h"

using namespace edgecvar;
using namespace edgecvar::h264;

namespace {

struct Found {
    uint32_t first = 0, count = 0;
    unsigned length = 0;
};

// Decodes every number of `width` bits and checks that each symbol owns exactly the numbers its code begins. Returns
// how many numbers no code begins, which is what the Kraft sum lacks of 1.
template <class Decode>
uint32_t check_code(unsigned width, std::map<int, Found>& symbols, Decode decode) {
    uint32_t invalid = 0;
    for (uint32_t bits = 0; bits < 1u << width; ++bits) {
        int symbol = 0;
        const unsigned length = decode(bits, symbol);
        if (length == 0) {
            ++invalid;
            continue;
        }
        Found& found = symbols[symbol];
        if (found.count++ == 0) {
            found.first = bits;
            found.length = length;
        }
        if (found.length != length) found.length = 99;
        if (bits - found.first != found.count - 1) found.length = 99;
    }
    for (const auto& [symbol, found] : symbols) {
        CHECK(found.length <= width);
        if (found.length > width) continue;
        CHECK(found.count == 1u << (width - found.length));
        CHECK(found.first % found.count == 0);
    }
    return invalid;
}

void test_coeff_token() {
    const uint32_t lacking[5] = {2, 8, 64, 2048, 0};  // 15, 13, 10 zeros; 000010 and 000111; none
    for (int nc_class = 0; nc_class < 5; ++nc_class) {
        std::map<int, Found> symbols;
        const uint32_t invalid = check_code(16, symbols, [&](uint32_t bits, int& symbol) {
            const CoeffToken token = coeff_token(nc_class, bits);
            symbol = token.total * 4 + token.ones;
            return unsigned(token.length);
        });
        CHECK(invalid == lacking[nc_class]);
        std::set<int> expected;
        for (int total = 0; total <= (nc_class == 4 ? 4 : 16); ++total) {
            for (int ones = 0; ones <= std::min(3, total); ++ones) expected.insert(total * 4 + ones);
        }
        CHECK(symbols.size() == expected.size());
        for (const auto& symbol : symbols) CHECK(expected.count(symbol.first) == 1);
    }
    CHECK(coeff_token(0, 0x0001).length == 0);
    const CoeffToken thirteen = coeff_token(0, 0x0002);
    CHECK(thirteen.length == 15 && thirteen.total == 13 && thirteen.ones == 1);
    const CoeffToken empty = coeff_token(3, 3u << 10);
    CHECK(empty.length == 6 && empty.total == 0 && empty.ones == 0);
    const CoeffToken chroma = coeff_token(4, 0);
    CHECK(chroma.length == 7 && chroma.total == 4 && chroma.ones == 3);
}

template <class Read>
void check_runs(unsigned width, int largest, uint32_t lacking, Read read) {
    std::map<int, Found> symbols;
    const uint32_t invalid = check_code(width, symbols, [&](uint32_t bits, int& symbol) {
        const RunCode code = read(bits);
        symbol = code.value;
        return unsigned(code.length);
    });
    CHECK(invalid == lacking);
    CHECK(int(symbols.size()) == largest + 1);
    CHECK(!symbols.empty() && symbols.rbegin()->first == largest);
}

void test_runs() {
    for (int total = 1; total < 16; ++total) {
        const uint32_t lacking = total == 1 ? 1 : 0;  // nine zeros
        check_runs(9, 16 - total, lacking, [&](uint32_t bits) { return total_zeros(total, bits); });
    }
    for (int total = 1; total < 4; ++total) {
        check_runs(3, 4 - total, 0, [&](uint32_t bits) { return total_zeros_chroma(total, bits); });
    }
    for (int left = 1; left < 16; ++left) {
        const uint32_t lacking = left > 6 ? 1 : 0;  // eleven zeros
        check_runs(11, left > 6 ? 14 : left, lacking, [&](uint32_t bits) { return run_before(left, bits); });
    }
    CHECK(total_zeros(1, 0x100).value == 0 && total_zeros(1, 0x001).value == 15);
    CHECK(total_zeros(7, 0x180).value == 5 && total_zeros(7, 0x180).length == 2);
    CHECK(run_before(6, 0).value == 1 && run_before(14, 1).value == 14 && run_before(7, 1).length == 11);
}

template <size_t SIZE>
bool is_permutation_of_indices(const uint8_t (&values)[SIZE]) {
    return std::set<int>(values, values + SIZE).size() == SIZE && *std::max_element(values, values + SIZE) == SIZE - 1;
}

template <size_t SIZE>
void check_coded_block_patterns(const uint8_t (&patterns)[SIZE][2]) {
    for (int column = 0; column < 2; ++column) {
        uint8_t values[SIZE];
        for (size_t i = 0; i < SIZE; ++i) values[i] = patterns[i][column];
        CHECK(is_permutation_of_indices(values));
    }
}

template <size_t SIZE>
void check_zigzag(const uint8_t (&scan)[SIZE], int side) {
    CHECK(is_permutation_of_indices(scan));
    CHECK(scan[1] == 1 && scan[2] == side);
    for (size_t i = 1; i < SIZE; ++i) {
        const int before = scan[i - 1] / side + scan[i - 1] % side, here = scan[i] / side + scan[i] % side;
        CHECK(here == before || here == before + 1);
    }
}

void test_scans() {
    check_zigzag(ZIGZAG_4X4, 4);
    check_zigzag(ZIGZAG_8X8, 8);
    check_coded_block_patterns(CODED_BLOCK_PATTERN);
    check_coded_block_patterns(CODED_BLOCK_PATTERN_LUMA);
    CHECK(CODED_BLOCK_PATTERN[0][0] == 47 && CODED_BLOCK_PATTERN[0][1] == 0);
    CHECK(CODED_BLOCK_PATTERN_LUMA[0][0] == 15 && CODED_BLOCK_PATTERN_LUMA[0][1] == 0);
    uint8_t places[16];
    for (int i = 0; i < 16; ++i) places[i] = uint8_t(BLOCK_Y[i] * 4 + BLOCK_X[i]);
    CHECK(is_permutation_of_indices(places));
    for (int i = 0; i < 16; ++i) CHECK(places[i] / 8 == i / 8 && places[i] % 4 / 2 == i / 4 % 2);
}

// A default scaling list is symmetric, and constant or rising away from its first entry.
template <size_t SIZE>
void check_scaling_list(const uint8_t (&list)[SIZE], const uint8_t (&scan)[SIZE], int side) {
    int raster[SIZE];
    for (size_t i = 0; i < SIZE; ++i) raster[scan[i]] = list[i];
    for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
            CHECK(raster[y * side + x] == raster[x * side + y]);
            CHECK(x == 0 || raster[y * side + x] >= raster[y * side + x - 1]);
        }
    }
}

void test_scaling() {
    for (int i = 0; i < 2; ++i) {
        check_scaling_list(DEFAULT_4X4[i], ZIGZAG_4X4, 4);
        check_scaling_list(DEFAULT_8X8[i], ZIGZAG_8X8, 8);
    }
    CHECK(DEFAULT_4X4[0][0] == 6 && DEFAULT_4X4[1][15] == 34 && DEFAULT_8X8[0][63] == 42 && DEFAULT_8X8[1][0] == 9);
    for (int rest = 1; rest < 6; ++rest) {
        for (int i = 0; i < 3; ++i) CHECK(NORM_ADJUST_4X4[rest][i] > NORM_ADJUST_4X4[rest - 1][i]);
        for (int i = 0; i < 6; ++i) CHECK(NORM_ADJUST_8X8[rest][i] > NORM_ADJUST_8X8[rest - 1][i]);
    }
    // The norms of the basis are products: of the third place the geometric mean of the others, but for rounding.
    for (const auto& row : NORM_ADJUST_4X4) CHECK(std::abs(row[0] * row[1] - row[2] * row[2]) <= 9);
    for (int qp = 0; qp < 52; ++qp) {
        CHECK(qp < 30 ? CHROMA_QP[qp] == qp : CHROMA_QP[qp] < qp);
        CHECK(qp == 0 || CHROMA_QP[qp] - CHROMA_QP[qp - 1] <= 1);
    }
    CHECK(CHROMA_QP[51] == 39);
}

void test_arithmetic_decoder() {
    for (int state = 0; state < 64; ++state) {
        for (int range = 0; range < 4; ++range) {
            CHECK(state == 0 || RANGE_LPS[state][range] <= RANGE_LPS[state - 1][range]);
            CHECK(range == 0 || RANGE_LPS[state][range] >= RANGE_LPS[state][range - 1]);
            CHECK(RANGE_LPS[state][range] < 256 + 64 * range);
        }
        CHECK(state == 63 || (NEXT_STATE_MPS[state] == std::min(state + 1, 62) && NEXT_STATE_LPS[state] <= state));
        CHECK(state == 0 || NEXT_STATE_LPS[state] >= NEXT_STATE_LPS[state - 1]);
    }
    CHECK(NEXT_STATE_LPS[63] == 63 && NEXT_STATE_MPS[63] == 63 && NEXT_STATE_LPS[62] == 38);
    CHECK(RANGE_LPS[0][0] == 128 && RANGE_LPS[0][3] == 240 && RANGE_LPS[62][0] == 6 && RANGE_LPS[63][3] == 2);
    std::set<int> significant(SIGNIFICANT_8X8, SIGNIFICANT_8X8 + 63), last(LAST_8X8, LAST_8X8 + 63);
    CHECK(significant.size() == 15 && *significant.rbegin() == 14);
    CHECK(last.size() == 9 && *last.rbegin() == 8 && std::is_sorted(LAST_8X8, LAST_8X8 + 63));
}

void test_contexts() {
    ContextState states[CONTEXTS], others[CONTEXTS];
    init_contexts(states, true, 0, 26);
    CHECK(states[0] == 46 << 1);  // 20, -15
    CHECK(states[5] == ((14 << 1) | 1));  // 3, 74
    CHECK(states[276] == 63 << 1);
    init_contexts(states, false, 0, 26);
    CHECK(states[11] == ((6 << 1) | 1));  // 23, 33
    CHECK(states[401] == ((17 << 1) | 1));  // 14, 59
    CHECK(states[1012] == ((5 << 1) | 1));  // -3, 74
    for (int column = 0; column < 4; ++column) {
        init_contexts(states, column == 0, column - 1, -9);
        init_contexts(others, column == 0, column - 1, 0);
        CHECK(std::equal(states, states + CONTEXTS, others));
        init_contexts(states, column == 0, column - 1, 77);
        init_contexts(others, column == 0, column - 1, 51);
        CHECK(std::equal(states, states + CONTEXTS, others));
        for (int i = 0; i < CONTEXTS; ++i) CHECK(states[i] < 126 || i == 276);
    }
}

// FNV-1a of the states at every QP, so that no initial value changes unseen.
void test_context_sums() {
    const uint32_t expected[4] = {0xC533AABAu, 0x37E14E3Du, 0xEFD5C509u, 0x6A577066u};
    for (int column = 0; column < 4; ++column) {
        uint32_t sum = 2166136261u;
        for (int qp = 0; qp < 52; ++qp) {
            ContextState states[CONTEXTS];
            init_contexts(states, column == 0, column - 1, qp);
            for (int i = 0; i < CONTEXTS; ++i) {
                const bool decoded = i < 276 || (i >= 399 && i < 436) || i >= 1012;
                if (decoded && (column > 0 || i < 11 || i >= 60)) sum = (sum ^ states[i]) * 16777619u;
            }
        }
        CHECK(sum == expected[column]);
    }
}

}  // namespace

int main() {
    test_coeff_token();
    test_runs();
    test_scans();
    test_scaling();
    test_arithmetic_decoder();
    test_contexts();
    test_context_sums();
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
