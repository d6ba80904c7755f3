// Look-up of the variable length codes of residual_block_cavlc (ITU-T H.264, 9.2) and coded_block_pattern (9.1.2).
#pragma once

#include <cstdint>

namespace edgecvar::h264 {

// The first code in the bits looked at: its length in bits, 0 where no code begins like that, and what it stands for.
struct CoeffToken {
    uint8_t length, total, ones;  // TotalCoeff, TrailingOnes
};

struct RunCode {
    uint8_t length, value;
};

// The codes have few bits after their leading zeros: tables are indexed by the number of leading zeros, then by the
// SUFFIX bits that follow the first one. That keeps them at 408 bytes (coeff_token) and 80 bytes (total_zeros) a table.
// Bits of the suffix that lie beyond WIDTH are zero; `bits` without any one has WIDTH leading zeros.
template <unsigned WIDTH, unsigned SUFFIX>
constexpr unsigned prefix_index(uint32_t bits) {
    const uint32_t aligned = bits << (32 - WIDTH);
    const unsigned zeros = unsigned(__builtin_clz(aligned | (1u << (31 - WIDTH))));
    return (zeros << SUFFIX) | (((aligned << zeros) >> (31 - SUFFIX)) & ((1u << SUFFIX) - 1));
}

constexpr unsigned COEFF_TOKEN_SIZE = 17 << 3;
constexpr unsigned TOTAL_ZEROS_SIZE = 10 << 2;

struct CoeffTokenTables {
    CoeffToken of[5][COEFF_TOKEN_SIZE];  // of[3], for codes of fixed length, is indexed by their six bits
};

struct TotalZerosTables {
    RunCode of[16][TOTAL_ZEROS_SIZE];  // by TotalCoeff
    RunCode chroma_dc[4][8];           // by TotalCoeff, then by three bits
};

struct RunBeforeTables {
    RunCode of[8][8];    // by zerosLeft up to 7, then by three bits; length 0 in of[7] where the code is longer
    RunCode longer[12];  // for zerosLeft > 6, by leading zeros
};

extern const CoeffTokenTables COEFF_TOKEN;
extern const TotalZerosTables TOTAL_ZEROS;
extern const RunBeforeTables RUN_BEFORE;

// Table 9-5. nc_class: 0 for 0 <= nC < 2, 1 for 2 <= nC < 4, 2 for 4 <= nC < 8, 3 for 8 <= nC, 4 for nC == -1 (chroma
// DC of 4:2:0); next16bits < 65536.
inline CoeffToken coeff_token(int nc_class, uint32_t next16bits) {
    const unsigned index = nc_class == 3 ? next16bits >> 10 : prefix_index<16, 3>(next16bits);
    return COEFF_TOKEN.of[nc_class][index];
}

// Tables 9-7 and 9-8 (4x4 blocks). total_coeff is 1..15, next9bits < 512. In blocks of 15 coefficients (AC) the value
// may be too large by one, which the caller checks.
inline RunCode total_zeros(int total_coeff, uint32_t next9bits) {
    return TOTAL_ZEROS.of[total_coeff][prefix_index<9, 2>(next9bits)];
}

// Table 9-9 (a), chroma DC of 4:2:0. total_coeff is 1..3, next3bits < 8.
inline RunCode total_zeros_chroma(int total_coeff, uint32_t next3bits) {
    return TOTAL_ZEROS.chroma_dc[total_coeff][next3bits];
}

// Table 9-10. zeros_left is at least 1, next11bits < 2048. For zeros_left > 6 the value may exceed zeros_left, which
// the caller checks.
inline RunCode run_before(int zeros_left, uint32_t next11bits) {
    const RunCode code = RUN_BEFORE.of[zeros_left < 7 ? zeros_left : 7][next11bits >> 8];
    if (__builtin_expect(code.length != 0, 1)) return code;
    return RUN_BEFORE.longer[prefix_index<11, 0>(next11bits)];
}

// Table 9-4, codeNum -> coded_block_pattern by [codeNum][0 Intra_4x4 and Intra_8x8, 1 Inter]: (a) for ChromaArrayType
// 1 and 2, (b) for 0 and 3
extern const uint8_t CODED_BLOCK_PATTERN[48][2];
extern const uint8_t CODED_BLOCK_PATTERN_LUMA[16][2];

}  // namespace edgecvar::h264
