// From the scaled coefficients of a transform block to its residual (ITU-T H.265, 8.6.4.2).
#include "hevc/transform.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace edgecvar::hevc {
namespace {

// The first column of transMatrix (8-311); cosines give the other ones with the same values.
constexpr int16_t FIRST_COLUMN[32] = {64, 90, 90, 90, 89, 88, 87, 85, 83, 82, 80, 78, 75, 73, 70, 67,
                                      64, 61, 57, 54, 50, 46, 43, 38, 36, 31, 25, 22, 18, 13, 9,  4};

// transMatrix of size n at row k, column x.
constexpr int16_t matrix(int n, int k, int x) {
    int angle = (2 * x + 1) * k * (32 / n) % 128;  // in units of pi / 64
    if (angle > 64) angle = 128 - angle;
    return int16_t(angle > 32 ? -FIRST_COLUMN[64 - angle] : FIRST_COLUMN[angle]);
}

// The left half of the matrix: the right one mirrors it, with other signs in odd rows.
template <int N>
struct HalfMatrix {
    alignas(32) int16_t rows[N][N / 2] = {};

    constexpr HalfMatrix() {
        for (int k = 0; k < N; ++k)
            for (int x = 0; x < N / 2; ++x) rows[k][x] = matrix(N, k, x);
    }
};
template <int N>
constexpr HalfMatrix<N> HALF;

constexpr int16_t DCT_4[4][4] = {{64, 64, 64, 64}, {83, 36, -36, -83}, {64, -64, -64, 64}, {36, -83, 83, -36}};
constexpr int16_t DST_4[4][4] = {{29, 55, 74, 84}, {74, 74, 0, -74}, {84, -29, -74, 55}, {55, -84, 74, -29}};

// No value leaves int16 in either stage where the coefficients' absolute values add up to this: 90 times it is below 1 << 22.
constexpr int NEVER_CLIPPED = 46000;

template <bool CLIP>
inline int16_t narrow(int32_t value) {
    return CLIP ? clip_int16(value) : int16_t(value);
}

int absolute_sum(const ScaledBlock& block) {
    int sum = 0;
    for (int k = 0; k < block.count; ++k) sum += std::abs(int(block.coefficients[k].value));
    return sum;
}

// The sums of one column or row over even and over odd rows of the matrix; sample x is even[x] + odd[x], sample
// N - 1 - x is even[x] - odd[x].
template <int N>
struct HalfSums {
    int32_t even[N / 2], odd[N / 2];
};

// The columns with coefficients after the first stage: samples in the upper half from the top, in the lower one from the
// bottom.
template <int N>
struct Columns {
    int even_count = 0, odd_count = 0;
    uint8_t even[N / 2], odd[N / 2];  // which they are
    int16_t upper[N][N / 2], lower[N][N / 2];
};

// Every coefficient adds its multiple of a row of the matrix to its column: what is 0 costs nothing.
template <int N, bool CLIP>
void transform_columns(const ScaledBlock& block, Columns<N>& columns) {
    HalfSums<N> sums[N];
    uint32_t present = 0;
    for (int k = 0; k < block.count; ++k) {
        const Scaled c = block.coefficients[k];
        if (!(present >> c.x & 1)) {
            present |= 1u << c.x;
            std::fill_n(sums[c.x].even, N / 2, 64);
            std::fill_n(sums[c.x].odd, N / 2, 0);
        }
        int32_t* sum = c.y & 1 ? sums[c.x].odd : sums[c.x].even;
        const int16_t* row = HALF<N>.rows[c.y];
        for (int y = 0; y < N / 2; ++y) sum[y] += int32_t(row[y]) * c.value;
    }
    for (int x = 0; x < N; ++x) {
        if (!(present >> x & 1)) continue;
        (x & 1 ? columns.odd[columns.odd_count++] : columns.even[columns.even_count++]) = uint8_t(x);
        const HalfSums<N>& sum = sums[x];
        for (int y = 0; y < N / 2; ++y) columns.upper[x][y] = narrow<CLIP>((sum.even[y] + sum.odd[y]) >> 7);
        for (int y = 0; y < N / 2; ++y) columns.lower[x][y] = narrow<CLIP>((sum.even[y] - sum.odd[y]) >> 7);
    }
}

template <int N, bool CLIP>
inline void transform_row(const Columns<N>& columns, const int16_t (&half)[N][N / 2], int y, int shift, int16_t* out) {
    HalfSums<N> sums;
    std::fill_n(sums.even, N / 2, 1 << (shift - 1));
    std::fill_n(sums.odd, N / 2, 0);
    for (int k = 0; k < columns.even_count; ++k) {
        const int16_t* row = HALF<N>.rows[columns.even[k]];
        const int16_t value = half[columns.even[k]][y];
        for (int x = 0; x < N / 2; ++x) sums.even[x] += int32_t(row[x]) * value;
    }
    for (int k = 0; k < columns.odd_count; ++k) {
        const int16_t* row = HALF<N>.rows[columns.odd[k]];
        const int16_t value = half[columns.odd[k]][y];
        for (int x = 0; x < N / 2; ++x) sums.odd[x] += int32_t(row[x]) * value;
    }
    for (int x = 0; x < N / 2; ++x) out[x] = narrow<CLIP>((sums.even[x] + sums.odd[x]) >> shift);
    for (int x = 0; x < N / 2; ++x)
        out[N / 2 + x] = narrow<CLIP>((sums.even[N / 2 - 1 - x] - sums.odd[N / 2 - 1 - x]) >> shift);
}

template <int N, bool CLIP>
void inverse(const ScaledBlock& block, int16_t* out) {
    Columns<N> columns;
    transform_columns<N, CLIP>(block, columns);
    const int shift = 20 - block.bit_depth;
    for (int y = 0; y < N / 2; ++y) {
        transform_row<N, CLIP>(columns, columns.upper, y, shift, out + y * N);
        transform_row<N, CLIP>(columns, columns.lower, y, shift, out + (N - 1 - y) * N);
    }
}

template <int N>
void inverse(const ScaledBlock& block, int16_t* out) {
    absolute_sum(block) > NEVER_CLIPPED ? inverse<N, true>(block, out) : inverse<N, false>(block, out);
}

void inverse_4x4(const ScaledBlock& block, const int16_t (&rows)[4][4], int16_t* out) {
    int16_t d[4][4] = {}, columns[4][4];  // columns[x] is column x after the first stage
    for (int k = 0; k < block.count; ++k)
        d[block.coefficients[k].x][block.coefficients[k].y] = block.coefficients[k].value;
    for (int x = 0; x < 4; ++x) {
        int32_t sum[4] = {64, 64, 64, 64};
        for (int k = 0; k < 4; ++k)
            for (int y = 0; y < 4; ++y) sum[y] += int32_t(rows[k][y]) * d[x][k];
        for (int y = 0; y < 4; ++y) columns[x][y] = clip_int16(sum[y] >> 7);
    }
    const int shift = 20 - block.bit_depth, half = 1 << (shift - 1);
    for (int y = 0; y < 4; ++y) {
        int32_t sum[4] = {half, half, half, half};
        for (int k = 0; k < 4; ++k)
            for (int x = 0; x < 4; ++x) sum[x] += int32_t(rows[k][x]) * columns[k][y];
        for (int x = 0; x < 4; ++x) out[4 * y + x] = clip_int16(sum[x] >> shift);
    }
}

void inverse_dc(const ScaledBlock& block, int16_t* out) {
    const int shift = 20 - block.bit_depth;
    const int32_t dc = (64 * block.coefficients[0].value + 64) >> 7;
    std::fill_n(out, 1 << (2 * block.log2_size), int16_t((64 * dc + (1 << (shift - 1))) >> shift));
}

}  // namespace

void inverse_dct(const ScaledBlock& block, int16_t* out) {
    if (block.count == 1 && block.coefficients[0].x == 0 && block.coefficients[0].y == 0) return inverse_dc(block, out);
    switch (block.log2_size) {
        case 2: return inverse_4x4(block, DCT_4, out);
        case 3: return inverse<8>(block, out);
        case 4: return inverse<16>(block, out);
        default: return inverse<32>(block, out);
    }
}

void inverse_dst(const ScaledBlock& block, int16_t* out) { inverse_4x4(block, DST_4, out); }

void skip_transform(const ScaledBlock& block, int16_t* out) {
    const int factor = 1 << (5 + block.log2_size), shift = 20 - block.bit_depth;
    std::fill_n(out, 1 << (2 * block.log2_size), int16_t(0));
    for (int k = 0; k < block.count; ++k) {
        const Scaled c = block.coefficients[k];
        out[(c.y << block.log2_size) + c.x] = clip_int16((c.value * factor + (1 << (shift - 1))) >> shift);
    }
}

}  // namespace edgecvar::hevc
