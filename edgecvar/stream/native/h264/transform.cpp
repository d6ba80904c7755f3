// Inverse transforms of scaled coefficients, and lossless prediction (ITU-T H.264, 8.5.10 to 8.5.13, 8.5.15).
#include "h264/transform.h"

namespace edgecvar::h264 {
namespace {

// One dimension; v[k * N] is the k-th of the N values, in place.
template <int N>
inline void butterfly_4(int32_t* v) {
    const int32_t e0 = v[0] + v[2 * N], e1 = v[0] - v[2 * N];
    const int32_t e2 = (v[N] >> 1) - v[3 * N], e3 = v[N] + (v[3 * N] >> 1);
    v[0] = e0 + e3;
    v[N] = e1 + e2;
    v[2 * N] = e1 - e2;
    v[3 * N] = e0 - e3;
}

template <int N>
inline void butterfly_8(int32_t* v) {
    const int32_t v1 = v[N], v3 = v[3 * N], v5 = v[5 * N], v7 = v[7 * N];
    const int32_t a0 = v[0] + v[4 * N], a2 = v[0] - v[4 * N];
    const int32_t a4 = (v[2 * N] >> 1) - v[6 * N], a6 = v[2 * N] + (v[6 * N] >> 1);
    const int32_t a1 = v5 - v3 - v7 - (v7 >> 1), a3 = v1 + v7 - v3 - (v3 >> 1);
    const int32_t a5 = v7 - v1 + v5 + (v5 >> 1), a7 = v3 + v5 + v1 + (v1 >> 1);
    const int32_t b0 = a0 + a6, b2 = a2 + a4, b4 = a2 - a4, b6 = a0 - a6;
    const int32_t b1 = a1 + (a7 >> 2), b3 = a3 + (a5 >> 2), b5 = (a3 >> 2) - a5, b7 = a7 - (a1 >> 2);
    v[0] = b0 + b7;
    v[N] = b2 + b5;
    v[2 * N] = b4 + b3;
    v[3 * N] = b6 + b1;
    v[4 * N] = b6 - b1;
    v[5 * N] = b4 - b3;
    v[6 * N] = b2 - b5;
    v[7 * N] = b0 - b7;
}

// Rows first, as the standard has it: the shifts make the order matter. Each loop runs over N independent
// lanes, which compilers vectorise (GCC at -O3 only).
template <int N, void (*BUTTERFLY)(int32_t*)>
inline void inverse(const int32_t* d, int16_t* out, ptrdiff_t stride) {
    int32_t columns[N * N], rows[N * N];
    for (int k = 0; k < N * N; ++k) columns[k] = d[k];
    for (int y = 0; y < N; ++y) BUTTERFLY(columns + y);
    for (int y = 0; y < N; ++y)
        for (int x = 0; x < N; ++x) rows[y * N + x] = columns[x * N + y];
    for (int x = 0; x < N; ++x) BUTTERFLY(rows + x);
    for (int y = 0; y < N; ++y)
        for (int x = 0; x < N; ++x) out[y * stride + x] = clip_int16((rows[y * N + x] + 32) >> 6);
}

template <int N>
inline void inverse_dc(int32_t dc, int16_t* out, ptrdiff_t stride) {
    const int16_t value = clip_int16((dc + 32) >> 6);
    for (int y = 0; y < N; ++y)
        for (int x = 0; x < N; ++x) out[y * stride + x] = value;
}

// One dimension of the transform of DC levels (8.5.10).
template <int N>
inline void hadamard_4(int32_t* v) {
    const int32_t e0 = v[0] + v[N], e1 = v[0] - v[N], e2 = v[2 * N] + v[3 * N], e3 = v[2 * N] - v[3 * N];
    v[0] = e0 + e2;
    v[N] = e0 - e2;
    v[2 * N] = e1 - e3;
    v[3 * N] = e1 + e3;
}

}  // namespace

void inverse_4x4(const int32_t* d, int16_t* out, ptrdiff_t stride) { inverse<4, butterfly_4<4>>(d, out, stride); }

void inverse_8x8(const int32_t* d, int16_t* out, ptrdiff_t stride) { inverse<8, butterfly_8<8>>(d, out, stride); }

void inverse_dc_4x4(int32_t dc, int16_t* out, ptrdiff_t stride) { inverse_dc<4>(dc, out, stride); }

void inverse_dc_8x8(int32_t dc, int16_t* out, ptrdiff_t stride) { inverse_dc<8>(dc, out, stride); }

void luma_dc_4x4(int32_t* c, int32_t scale) {
    for (int k = 0; k < 4; ++k) hadamard_4<1>(c + 4 * k);
    for (int k = 0; k < 4; ++k) hadamard_4<4>(c + k);
    for (int k = 0; k < 16; ++k) c[k] = clip_scaled((int64_t(c[k]) * scale + 32) >> 6);
}

void chroma_dc_2x2(int32_t* c, int32_t scale) {
    const int32_t top = c[0] + c[1], bottom = c[2] + c[3];
    const int32_t top_change = c[0] - c[1], bottom_change = c[2] - c[3];
    const int32_t f[4] = {top + bottom, top_change + bottom_change, top - bottom, top_change - bottom_change};
    for (int k = 0; k < 4; ++k) c[k] = clip_scaled((int64_t(f[k]) * scale) >> 5);
}

void accumulate_down(int32_t* r, int size, ptrdiff_t stride) {
    for (int y = 1; y < size; ++y)
        for (int x = 0; x < size; ++x) r[y * stride + x] += r[(y - 1) * stride + x];
}

void accumulate_right(int32_t* r, int size, ptrdiff_t stride) {
    for (int y = 0; y < size; ++y)
        for (int x = 1; x < size; ++x) r[y * stride + x] += r[y * stride + x - 1];
}

}  // namespace edgecvar::h264
