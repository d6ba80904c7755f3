// From the scaled coefficients of a transform block to its residual (ITU-T H.265, 8.6.4.2).
#include "hevc/transform.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

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

constexpr int16_t DCT_4[4][4] = {{64, 64, 64, 64}, {83, 36, -36, -83}, {64, -64, -64, 64}, {36, -83, 83, -36}};
constexpr int16_t DST_4[4][4] = {{29, 55, 74, 84}, {74, 74, 0, -74}, {84, -29, -74, 55}, {55, -84, 74, -29}};

// Blocks are summed in floats where all sums stay below 1 << 24, for then they are exact, and quicker than integers.
typedef int32_t IntLanes __attribute__((vector_size(16)));
typedef float FloatLanes __attribute__((vector_size(16)));
template <typename T>
struct Four {
    typedef IntLanes Lanes;
};
template <>
struct Four<float> {
    typedef FloatLanes Lanes;
};

#if defined(__clang__) || __GNUC__ > 8
inline IntLanes integers(const FloatLanes& lanes) { return __builtin_convertvector(lanes, IntLanes); }
inline FloatLanes floats(const IntLanes& lanes) { return __builtin_convertvector(lanes, FloatLanes); }
#else  // that of JetPack 4
inline IntLanes integers(const FloatLanes& lanes) {
    return IntLanes{int32_t(lanes[0]), int32_t(lanes[1]), int32_t(lanes[2]), int32_t(lanes[3])};
}
inline FloatLanes floats(const IntLanes& lanes) {
    return FloatLanes{float(lanes[0]), float(lanes[1]), float(lanes[2]), float(lanes[3])};
}
#endif
inline IntLanes integers(const IntLanes& lanes) { return lanes; }

template <typename T>
inline typename Four<T>::Lanes load(const T* from) {
    typename Four<T>::Lanes lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

template <typename T, typename Lanes>
inline void store(const Lanes& lanes, T* to) {
    std::memcpy(to, &lanes, sizeof lanes);
}

template <typename T>
inline typename Four<T>::Lanes all(T value) {
    return typename Four<T>::Lanes{value, value, value, value};
}

template <typename Lanes>
inline IntLanes shifted(const Lanes& sums, int shift) {
    return integers(sums) >> shift;
}

// The left half of the matrix: the right one mirrors it, with other signs in odd rows.
template <typename T, int N>
struct HalfMatrix {
    alignas(16) T rows[N][N / 2] = {};

    constexpr HalfMatrix() {
        for (int k = 0; k < N; ++k)
            for (int x = 0; x < N / 2; ++x) rows[k][x] = T(matrix(N, k, x));
    }
};
template <typename T, int N>
constexpr HalfMatrix<T, N> HALF;

// The columns with coefficients after the first stage, each in two halves: downwards from the top, and upwards from the
// bottom.
template <typename T, int N>
struct Columns {
    int count[2] = {0, 0};      // of even ones, of odd ones,
    uint8_t which[2][N / 2];    // and which these are
    alignas(16) T upper[N][N / 2], lower[N][N / 2];
};

// A stage's values, which only integers are clipped to.
template <typename T>
inline void store_clipped(const IntLanes& values, T* to) {
    if constexpr (std::is_same_v<T, float>) {
        store(floats(values), to);
    } else {
        for (int k = 0; k < 4; ++k) to[k] = clip_int16(values[k]);
    }
}

// Every coefficient adds its multiple of a row of the matrix to its column: what is 0 costs nothing.
template <typename T, int N>
void transform_columns(const ScaledBlock& block, Columns<T, N>& columns) {
    alignas(16) T sums[N][2][N / 2];  // of even and odd rows of the matrix
    uint32_t present = 0;
    for (int k = 0; k < block.count; ++k) {
        const Scaled c = block.coefficients[k];
        if (!(present >> c.x & 1)) {
            present |= 1u << c.x;
            for (int y = 0; y < N / 2; y += 4) store(all(T(64)), sums[c.x][0] + y);
            for (int y = 0; y < N / 2; y += 4) store(all(T(0)), sums[c.x][1] + y);
        }
        T* sum = sums[c.x][c.y & 1];
        const T* row = HALF<T, N>.rows[c.y];
        const auto factor = all(T(c.value));
        for (int y = 0; y < N / 2; y += 4) store(load(sum + y) + load(row + y) * factor, sum + y);
    }
    for (int x = 0; x < N; ++x) {
        if (!(present >> x & 1)) continue;
        columns.which[x & 1][columns.count[x & 1]++] = uint8_t(x);
        for (int y = 0; y < N / 2; y += 4) {
            const auto even = load(sums[x][0] + y), odd = load(sums[x][1] + y);
            store_clipped(shifted(even + odd, 7), columns.upper[x] + y);
            store_clipped(shifted(even - odd, 7), columns.lower[x] + y);
        }
    }
}

// Row y of one half, from the columns.
template <typename T, int N>
inline void transform_row(const Columns<T, N>& columns, const T (&half)[N][N / 2], int y, int shift, int16_t* out) {
    constexpr int PARTS = N / 8;
    typename Four<T>::Lanes sums[2][PARTS];  // over even and odd columns: few enough for registers
#pragma GCC unroll 4
    for (int part = 0; part < PARTS; ++part) {
        sums[0][part] = all(T(1 << (shift - 1)));
        sums[1][part] = all(T(0));
    }
#pragma GCC unroll 2
    for (int odd = 0; odd < 2; ++odd)
        for (int k = 0; k < columns.count[odd]; ++k) {
            const T* row = HALF<T, N>.rows[columns.which[odd][k]];
            const auto factor = all(half[columns.which[odd][k]][y]);
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; ++part) sums[odd][part] += load(row + 4 * part) * factor;
        }
    alignas(16) int32_t left[N / 2], right[N / 2];
#pragma GCC unroll 4
    for (int part = 0; part < PARTS; ++part) {
        store(shifted(sums[0][part] + sums[1][part], shift), left + 4 * part);
        store(shifted(sums[0][part] - sums[1][part], shift), right + 4 * part);
    }
    constexpr bool CLIP = !std::is_same_v<T, float>;
    for (int x = 0; x < N / 2; ++x) out[x] = CLIP ? clip_int16(left[x]) : int16_t(left[x]);
    for (int x = 0; x < N / 2; ++x) out[N - 1 - x] = CLIP ? clip_int16(right[x]) : int16_t(right[x]);
}

template <typename T, int N>
void inverse(const ScaledBlock& block, int16_t* out) {
    Columns<T, N> columns;
    transform_columns(block, columns);
    const int shift = 20 - block.bit_depth;
    for (int y = 0; y < N / 2; ++y) {
        transform_row(columns, columns.upper, y, shift, out + y * N);
        transform_row(columns, columns.lower, y, shift, out + (N - 1 - y) * N);
    }
}

// Whether floats are exact and nothing is clipped. A matrix has values up to 90: first sums are at most 90 * 46000 + 64,
// and of int16 after its shift; a second one at most 90 * (90 * 250000 / 128 + 32), and of int16 even after one by 10.
bool is_moderate(const ScaledBlock& block) {
    int sum = 0;
    for (int k = 0; k < block.count; ++k) sum += std::abs(int(block.coefficients[k].value));
    if (sum <= 46000 || sum > 250000) return sum <= 46000;
    int columns[32] = {};
    for (int k = 0; k < block.count; ++k)
        columns[block.coefficients[k].x] += std::abs(int(block.coefficients[k].value));
    return *std::max_element(columns, columns + 32) <= 46000;
}

template <int N>
void inverse(const ScaledBlock& block, int16_t* out) {
    is_moderate(block) ? inverse<float, N>(block, out) : inverse<int32_t, N>(block, out);
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
