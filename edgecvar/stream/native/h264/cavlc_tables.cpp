// The variable length codes of residual_block_cavlc (ITU-T H.264, 9.2) and coded_block_pattern (9.1.2).
#include "h264/cavlc_tables.h"

namespace edgecvar::h264 {

namespace {

// Length and value of the bits of a code.
struct Code {
    uint8_t length, bits;
};

constexpr bool starts_with(uint32_t bits, unsigned width, Code code) {
    return code.length != 0 && code.length <= width && bits >> (width - code.length) == code.bits;
}

struct CoeffTokenRow {
    uint8_t ones, total;
    Code codes[5];
};

// clang-format off: the rows are those of the standard
// Table 9-5: TrailingOnes, TotalCoeff, then columns 0 <= nC < 2, 2 <= nC < 4, 4 <= nC < 8, 8 <= nC, nC == -1
constexpr CoeffTokenRow COEFF_TOKEN_ROWS[] = {
    {0, 0, {{1, 1}, {2, 3}, {4, 15}, {6, 3}, {2, 1}}}, {0, 1, {{6, 5}, {6, 11}, {6, 15}, {6, 0}, {6, 7}}},
    {1, 1, {{2, 1}, {2, 2}, {4, 14}, {6, 1}, {1, 1}}}, {0, 2, {{8, 7}, {6, 7}, {6, 11}, {6, 4}, {6, 4}}},
    {1, 2, {{6, 4}, {5, 7}, {5, 15}, {6, 5}, {6, 6}}}, {2, 2, {{3, 1}, {3, 3}, {4, 13}, {6, 6}, {3, 1}}},
    {0, 3, {{9, 7}, {7, 7}, {6, 8}, {6, 8}, {6, 3}}}, {1, 3, {{8, 6}, {6, 10}, {5, 12}, {6, 9}, {7, 3}}},
    {2, 3, {{7, 5}, {6, 9}, {5, 14}, {6, 10}, {7, 2}}}, {3, 3, {{5, 3}, {4, 5}, {4, 12}, {6, 11}, {6, 5}}},
    {0, 4, {{10, 7}, {8, 7}, {7, 15}, {6, 12}, {6, 2}}}, {1, 4, {{9, 6}, {6, 6}, {5, 10}, {6, 13}, {8, 3}}},
    {2, 4, {{8, 5}, {6, 5}, {5, 11}, {6, 14}, {8, 2}}}, {3, 4, {{6, 3}, {4, 4}, {4, 11}, {6, 15}, {7, 0}}},
    {0, 5, {{11, 7}, {8, 4}, {7, 11}, {6, 16}, {0, 0}}}, {1, 5, {{10, 6}, {7, 6}, {5, 8}, {6, 17}, {0, 0}}},
    {2, 5, {{9, 5}, {7, 5}, {5, 9}, {6, 18}, {0, 0}}}, {3, 5, {{7, 4}, {5, 6}, {4, 10}, {6, 19}, {0, 0}}},
    {0, 6, {{13, 15}, {9, 7}, {7, 9}, {6, 20}, {0, 0}}}, {1, 6, {{11, 6}, {8, 6}, {6, 14}, {6, 21}, {0, 0}}},
    {2, 6, {{10, 5}, {8, 5}, {6, 13}, {6, 22}, {0, 0}}}, {3, 6, {{8, 4}, {6, 8}, {4, 9}, {6, 23}, {0, 0}}},
    {0, 7, {{13, 11}, {11, 15}, {7, 8}, {6, 24}, {0, 0}}}, {1, 7, {{13, 14}, {9, 6}, {6, 10}, {6, 25}, {0, 0}}},
    {2, 7, {{11, 5}, {9, 5}, {6, 9}, {6, 26}, {0, 0}}}, {3, 7, {{9, 4}, {6, 4}, {4, 8}, {6, 27}, {0, 0}}},
    {0, 8, {{13, 8}, {11, 11}, {8, 15}, {6, 28}, {0, 0}}}, {1, 8, {{13, 10}, {11, 14}, {7, 14}, {6, 29}, {0, 0}}},
    {2, 8, {{13, 13}, {11, 13}, {7, 13}, {6, 30}, {0, 0}}}, {3, 8, {{10, 4}, {7, 4}, {5, 13}, {6, 31}, {0, 0}}},
    {0, 9, {{14, 15}, {12, 15}, {8, 11}, {6, 32}, {0, 0}}}, {1, 9, {{14, 14}, {11, 10}, {8, 14}, {6, 33}, {0, 0}}},
    {2, 9, {{13, 9}, {11, 9}, {7, 10}, {6, 34}, {0, 0}}}, {3, 9, {{11, 4}, {9, 4}, {6, 12}, {6, 35}, {0, 0}}},
    {0, 10, {{14, 11}, {12, 11}, {9, 15}, {6, 36}, {0, 0}}}, {1, 10, {{14, 10}, {12, 14}, {8, 10}, {6, 37}, {0, 0}}},
    {2, 10, {{14, 13}, {12, 13}, {8, 13}, {6, 38}, {0, 0}}}, {3, 10, {{13, 12}, {11, 12}, {7, 12}, {6, 39}, {0, 0}}},
    {0, 11, {{15, 15}, {12, 8}, {9, 11}, {6, 40}, {0, 0}}}, {1, 11, {{15, 14}, {12, 10}, {9, 14}, {6, 41}, {0, 0}}},
    {2, 11, {{14, 9}, {12, 9}, {8, 9}, {6, 42}, {0, 0}}}, {3, 11, {{14, 12}, {11, 8}, {8, 12}, {6, 43}, {0, 0}}},
    {0, 12, {{15, 11}, {13, 15}, {9, 8}, {6, 44}, {0, 0}}}, {1, 12, {{15, 10}, {13, 14}, {9, 10}, {6, 45}, {0, 0}}},
    {2, 12, {{15, 13}, {13, 13}, {9, 13}, {6, 46}, {0, 0}}}, {3, 12, {{14, 8}, {12, 12}, {8, 8}, {6, 47}, {0, 0}}},
    {0, 13, {{16, 15}, {13, 11}, {10, 13}, {6, 48}, {0, 0}}}, {1, 13, {{15, 1}, {13, 10}, {9, 7}, {6, 49}, {0, 0}}},
    {2, 13, {{15, 9}, {13, 9}, {9, 9}, {6, 50}, {0, 0}}}, {3, 13, {{15, 12}, {13, 12}, {9, 12}, {6, 51}, {0, 0}}},
    {0, 14, {{16, 11}, {13, 7}, {10, 9}, {6, 52}, {0, 0}}}, {1, 14, {{16, 14}, {14, 11}, {10, 12}, {6, 53}, {0, 0}}},
    {2, 14, {{16, 13}, {13, 6}, {10, 11}, {6, 54}, {0, 0}}}, {3, 14, {{15, 8}, {13, 8}, {10, 10}, {6, 55}, {0, 0}}},
    {0, 15, {{16, 7}, {14, 9}, {10, 5}, {6, 56}, {0, 0}}}, {1, 15, {{16, 10}, {14, 8}, {10, 8}, {6, 57}, {0, 0}}},
    {2, 15, {{16, 9}, {14, 10}, {10, 7}, {6, 58}, {0, 0}}}, {3, 15, {{16, 12}, {13, 1}, {10, 6}, {6, 59}, {0, 0}}},
    {0, 16, {{16, 4}, {14, 7}, {10, 1}, {6, 60}, {0, 0}}}, {1, 16, {{16, 6}, {14, 6}, {10, 4}, {6, 61}, {0, 0}}},
    {2, 16, {{16, 5}, {14, 5}, {10, 3}, {6, 62}, {0, 0}}}, {3, 16, {{16, 8}, {14, 4}, {10, 2}, {6, 63}, {0, 0}}},
};

// Tables 9-7 and 9-8: a row is a tzVlcIndex, 1 to 15; then total_zeros from 0
constexpr Code TOTAL_ZEROS_CODES[15][16] = {
    {{1, 1}, {3, 3}, {3, 2}, {4, 3}, {4, 2}, {5, 3}, {5, 2}, {6, 3}, {6, 2}, {7, 3}, {7, 2}, {8, 3}, {8, 2}, {9, 3},
     {9, 2}, {9, 1}},
    {{3, 7}, {3, 6}, {3, 5}, {3, 4}, {3, 3}, {4, 5}, {4, 4}, {4, 3}, {4, 2}, {5, 3}, {5, 2}, {6, 3}, {6, 2}, {6, 1},
     {6, 0}},
    {{4, 5}, {3, 7}, {3, 6}, {3, 5}, {4, 4}, {4, 3}, {3, 4}, {3, 3}, {4, 2}, {5, 3}, {5, 2}, {6, 1}, {5, 1}, {6, 0}},
    {{5, 3}, {3, 7}, {4, 5}, {4, 4}, {3, 6}, {3, 5}, {3, 4}, {4, 3}, {3, 3}, {4, 2}, {5, 2}, {5, 1}, {5, 0}},
    {{4, 5}, {4, 4}, {4, 3}, {3, 7}, {3, 6}, {3, 5}, {3, 4}, {3, 3}, {4, 2}, {5, 1}, {4, 1}, {5, 0}},
    {{6, 1}, {5, 1}, {3, 7}, {3, 6}, {3, 5}, {3, 4}, {3, 3}, {3, 2}, {4, 1}, {3, 1}, {6, 0}},
    {{6, 1}, {5, 1}, {3, 5}, {3, 4}, {3, 3}, {2, 3}, {3, 2}, {4, 1}, {3, 1}, {6, 0}},
    {{6, 1}, {4, 1}, {5, 1}, {3, 3}, {2, 3}, {2, 2}, {3, 2}, {3, 1}, {6, 0}},
    {{6, 1}, {6, 0}, {4, 1}, {2, 3}, {2, 2}, {3, 1}, {2, 1}, {5, 1}},
    {{5, 1}, {5, 0}, {3, 1}, {2, 3}, {2, 2}, {2, 1}, {4, 1}},
    {{4, 0}, {4, 1}, {3, 1}, {3, 2}, {1, 1}, {3, 3}},
    {{4, 0}, {4, 1}, {2, 1}, {1, 1}, {3, 1}},
    {{3, 0}, {3, 1}, {1, 1}, {2, 1}},
    {{2, 0}, {2, 1}, {1, 1}},
    {{1, 0}, {1, 1}},
};

// Table 9-9 (a): a row is a tzVlcIndex, 1 to 3; then total_zeros from 0
constexpr Code CHROMA_DC_CODES[3][4] = {
    {{1, 1}, {2, 1}, {3, 1}, {3, 0}},
    {{1, 1}, {2, 1}, {2, 0}},
    {{1, 1}, {1, 0}},
};

// Table 9-10: a row is zerosLeft, 1 to 6 and above; then run_before from 0. Of the last, 7 to 14 are zeros and a one.
constexpr Code RUN_BEFORE_CODES[7][7] = {
    {{1, 1}, {1, 0}},
    {{1, 1}, {2, 1}, {2, 0}},
    {{2, 3}, {2, 2}, {2, 1}, {2, 0}},
    {{2, 3}, {2, 2}, {2, 1}, {3, 1}, {3, 0}},
    {{2, 3}, {2, 2}, {3, 3}, {3, 2}, {3, 1}, {3, 0}},
    {{2, 3}, {3, 0}, {3, 1}, {3, 3}, {3, 2}, {3, 5}, {3, 4}},
    {{3, 7}, {3, 6}, {3, 5}, {3, 4}, {3, 3}, {3, 2}, {3, 1}},
};

// clang-format on

// The least number of WIDTH bits that prefix_index maps to `index`.
template <unsigned WIDTH, unsigned SUFFIX>
constexpr uint32_t bits_at(unsigned index) {
    const unsigned zeros = index >> SUFFIX;
    const uint32_t suffix = index & ((1u << SUFFIX) - 1);
    if (zeros >= WIDTH) return 0;
    return ((((1u << SUFFIX) | suffix) << (31 - SUFFIX)) >> zeros) >> (32 - WIDTH);
}

constexpr CoeffTokenTables build_coeff_token() {
    CoeffTokenTables tables{};
    for (const CoeffTokenRow& row : COEFF_TOKEN_ROWS) {
        for (unsigned nc_class = 0; nc_class < 5; ++nc_class) {
            const Code code = row.codes[nc_class];
            const CoeffToken token = {code.length, row.total, row.ones};
            if (nc_class == 3) {
                tables.of[3][code.bits] = token;
                continue;
            }
            for (unsigned i = 0; i < COEFF_TOKEN_SIZE; ++i) {
                if (starts_with(bits_at<16, 3>(i), 16, code)) tables.of[nc_class][i] = token;
            }
        }
    }
    return tables;
}

constexpr TotalZerosTables build_total_zeros() {
    TotalZerosTables tables{};
    for (uint8_t total = 1; total < 16; ++total) {
        for (uint8_t value = 0; value < 16; ++value) {
            const Code code = TOTAL_ZEROS_CODES[total - 1][value];
            for (unsigned i = 0; i < TOTAL_ZEROS_SIZE; ++i) {
                if (starts_with(bits_at<9, 2>(i), 9, code)) tables.of[total][i] = {code.length, value};
            }
        }
    }
    for (uint8_t total = 1; total < 4; ++total) {
        for (uint8_t value = 0; value < 4; ++value) {
            const Code code = CHROMA_DC_CODES[total - 1][value];
            for (unsigned i = 0; i < 8; ++i) {
                if (starts_with(i, 3, code)) tables.chroma_dc[total][i] = {code.length, value};
            }
        }
    }
    return tables;
}

constexpr RunBeforeTables build_run_before() {
    RunBeforeTables tables{};
    for (unsigned left = 1; left < 8; ++left) {
        for (uint8_t value = 0; value < 7; ++value) {
            const Code code = RUN_BEFORE_CODES[left - 1][value];
            for (unsigned i = 0; i < 8; ++i) {
                if (starts_with(i, 3, code)) tables.of[left][i] = {code.length, value};
            }
        }
    }
    for (uint8_t zeros = 3; zeros < 11; ++zeros) tables.longer[zeros] = {uint8_t(zeros + 1), uint8_t(zeros + 4)};
    return tables;
}

}  // namespace

constexpr CoeffTokenTables COEFF_TOKEN = build_coeff_token();
constexpr TotalZerosTables TOTAL_ZEROS = build_total_zeros();
constexpr RunBeforeTables RUN_BEFORE = build_run_before();

// clang-format off: the rows are those of the standard
// Table 9-4 (a)
const uint8_t CODED_BLOCK_PATTERN[48][2] = {
    {47, 0}, {31, 16}, {15, 1}, {0, 2}, {23, 4}, {27, 8}, {29, 32}, {30, 3},
    {7, 5}, {11, 10}, {13, 12}, {14, 15}, {39, 47}, {43, 7}, {45, 11}, {46, 13},
    {16, 14}, {3, 6}, {5, 9}, {10, 31}, {12, 35}, {19, 37}, {21, 42}, {26, 44},
    {28, 33}, {35, 34}, {37, 36}, {42, 40}, {44, 39}, {1, 43}, {2, 45}, {4, 46},
    {8, 17}, {17, 18}, {18, 20}, {20, 24}, {24, 19}, {6, 21}, {9, 26}, {22, 28},
    {25, 23}, {32, 27}, {33, 29}, {34, 30}, {36, 22}, {40, 25}, {38, 38}, {41, 41},
};

// Table 9-4 (b)
const uint8_t CODED_BLOCK_PATTERN_LUMA[16][2] = {
    {15, 0}, {0, 1}, {7, 2}, {11, 4}, {13, 8}, {14, 3}, {3, 5}, {5, 10},
    {10, 12}, {12, 15}, {1, 7}, {2, 11}, {4, 13}, {8, 14}, {6, 6}, {9, 9},
};

// clang-format on

}  // namespace edgecvar::h264
