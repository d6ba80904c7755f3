// The residual against a slow, direct reading of ITU-T H.264, 8.5.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "h264/residual.h"
#include "h264/transform.h"

using namespace edgecvar;
using namespace edgecvar::h264;

static int failures = 0;
#define CHECK(condition, ...)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            if (++failures <= 20) {                                         \
                std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
                std::printf(__VA_ARGS__);                                   \
                std::printf("\n");                                          \
            }                                                               \
        }                                                                   \
    } while (0)

namespace {

using Matrix = std::vector<std::vector<int64_t>>;  // [row i][column j]
std::mt19937 generator(264);

int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
Matrix zeros(int n) { return Matrix(n, std::vector<int64_t>(n, 0)); }
int64_t clip(int64_t v) { return std::min<int64_t>(32767, std::max<int64_t>(-32768, v)); }

// Inverse zig-zag scan (Figure 6-12), walked diagonal by diagonal.
Matrix unscan(const std::vector<int64_t>& list, int n) {
    Matrix m = zeros(n);
    size_t k = 0;
    for (int s = 0; s < 2 * n - 1; ++s)
        for (int t = 0; t <= s; ++t) {
            const int i = s % 2 ? t : s - t, j = s - i;
            if (i < n && j < n) m[i][j] = list[k++];
        }
    return m;
}

Matrix product(const Matrix& a, const Matrix& b) {
    const int n = int(a.size());
    Matrix m = zeros(n);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            for (int k = 0; k < n; ++k) m[i][j] += a[i][k] * b[k][j];
    return m;
}

int norm_4x4(int m, int i, int j) {
    static const int V[6][3] = {{10, 16, 13}, {11, 18, 14}, {13, 20, 16}, {14, 23, 18}, {16, 25, 20}, {18, 29, 23}};
    return V[m][i % 2 == 0 && j % 2 == 0 ? 0 : i % 2 == 1 && j % 2 == 1 ? 1 : 2];
}

int norm_8x8(int m, int i, int j) {
    static const int V[6][6] = {{20, 18, 32, 19, 25, 24}, {22, 19, 35, 21, 28, 26}, {26, 23, 42, 24, 33, 31},
                                {28, 25, 45, 26, 35, 33}, {32, 28, 51, 30, 40, 38}, {36, 32, 58, 34, 46, 43}};
    if (i % 4 == 0 && j % 4 == 0) return V[m][0];
    if (i % 2 == 1 && j % 2 == 1) return V[m][1];
    if (i % 4 == 2 && j % 4 == 2) return V[m][2];
    if ((i % 4 == 0 && j % 2 == 1) || (i % 2 == 1 && j % 4 == 0)) return V[m][3];
    if ((i % 4 == 0 && j % 4 == 2) || (i % 4 == 2 && j % 4 == 0)) return V[m][4];
    return V[m][5];
}

int chroma_qp(int qp, int offset, int depth) {
    static const int ABOVE[22] = {29, 30, 31, 32, 32, 33, 34, 34, 35, 35, 36,
                                  36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39};
    const int index = std::min(51, std::max(-6 * (depth - 8), qp + offset));
    return (index < 30 ? index : ABOVE[index - 30]) + 6 * (depth - 8);
}

template <typename List>
Matrix level_scale(const List& weights, int m) {
    const int n = weights.size() == 16 ? 4 : 8;
    Matrix scale = unscan(std::vector<int64_t>(weights.begin(), weights.end()), n);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) scale[i][j] *= n == 4 ? norm_4x4(m, i, j) : norm_8x8(m, i, j);
    return scale;
}

// 8.5.12.1 and 8.5.13.1; `keep_dc` for blocks whose DC was scaled before.
Matrix scaled(const Matrix& c, const Matrix& scale, int qp, bool keep_dc) {
    const int n = int(c.size()), base = n == 4 ? 4 : 6;
    Matrix d = zeros(n);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
            const int64_t product = c[i][j] * scale[i][j];
            if (keep_dc && i == 0 && j == 0)
                d[i][j] = c[i][j];
            else if (qp >= 6 * base)
                d[i][j] = product * (int64_t(1) << (qp / 6 - base));
            else
                d[i][j] = (product + (int64_t(1) << (base - 1 - qp / 6))) >> (base - qp / 6);
        }
    return d;
}

void transform_4(int64_t (&v)[4]) {
    const int64_t e[4] = {v[0] + v[2], v[0] - v[2], (v[1] >> 1) - v[3], v[1] + (v[3] >> 1)};
    v[0] = e[0] + e[3], v[1] = e[1] + e[2], v[2] = e[1] - e[2], v[3] = e[0] - e[3];
}

void transform_8(int64_t (&g)[8]) {
    // clang-format off: an equation a line
    const int64_t a[8] = {g[0] + g[4],
                          -g[3] + g[5] - g[7] - (g[7] >> 1),
                          g[0] - g[4],
                          g[1] + g[7] - g[3] - (g[3] >> 1),
                          (g[2] >> 1) - g[6],
                          -g[1] + g[7] + g[5] + (g[5] >> 1),
                          g[2] + (g[6] >> 1),
                          g[3] + g[5] + g[1] + (g[1] >> 1)};
    // clang-format on
    const int64_t b[8] = {a[0] + a[6], a[1] + (a[7] >> 2), a[2] + a[4], a[3] + (a[5] >> 2),
                          a[2] - a[4], (a[3] >> 2) - a[5], a[0] - a[6], a[7] - (a[1] >> 2)};
    for (int k = 0; k < 4; ++k) g[k] = b[2 * k] + b[7 - 2 * k], g[7 - k] = b[2 * k] - b[7 - 2 * k];
}

template <int N, typename Transform>
Matrix both_ways(Matrix d, Transform transform) {
    int64_t v[N];
    for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) v[j] = d[i][j];
        transform(v);
        for (int j = 0; j < N; ++j) d[i][j] = v[j];
    }
    for (int j = 0; j < N; ++j) {
        for (int i = 0; i < N; ++i) v[i] = d[i][j];
        transform(v);
        for (int i = 0; i < N; ++i) d[i][j] = (v[i] + 32) >> 6;
    }
    return d;
}

Matrix residual_of(const Matrix& d) {
    return d.size() == 4 ? both_ways<4>(d, transform_4) : both_ways<8>(d, transform_8);
}

void accumulate(Matrix& r, int direction) {
    const int n = int(r.size());
    const Matrix f = r;
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
            if (direction == 0) continue;
            r[i][j] = 0;
            for (int k = 0; k <= (direction == 1 ? i : j); ++k) r[i][j] += direction == 1 ? f[k][j] : f[i][k];
        }
}

void put(Matrix& to, const Matrix& from, int y, int x) {
    for (size_t i = 0; i < from.size(); ++i)
        for (size_t j = 0; j < from.size(); ++j) to[y + i][x + j] = from[i][j];
}

// A macroblock as drawn for the test, and what it stands for.
struct Drawn {
    bool intra = false, whole = false, dct_8x8 = false, bypass = false;  // whole: Intra_16x16
    int qp = 0;
    BypassDirections directions{};
    std::map<int, std::vector<int64_t>> levels;  // of a block number, by scan position
    bool has(int block) const { return levels.count(block) != 0; }
    std::vector<int64_t> of(int block, int count) const {
        return has(block) ? levels.at(block) : std::vector<int64_t>(count, 0);
    }
};

Matrix expected_luma(const Drawn& mb, const Sps& sps, const ScalingLists& lists) {
    Matrix out = zeros(16);
    const int qp = mb.qp + 6 * (sps.bit_depth_luma - 8), n = mb.dct_8x8 ? 8 : 4;
    const Matrix scale = n == 8 ? level_scale(lists.lists8x8[mb.intra ? 0 : 1], qp % 6)
                                : level_scale(lists.lists4x4[mb.intra ? 0 : 3], qp % 6);
    Matrix dc = unscan(mb.of(BLOCK_LUMA_DC, 16), 4);
    if (!mb.bypass) {
        const Matrix h = {{1, 1, 1, 1}, {1, 1, -1, -1}, {1, -1, -1, 1}, {1, -1, 1, -1}};
        dc = product(product(h, dc), h);
        for (auto& row : dc)
            for (auto& v : row)
                v = qp >= 36 ? v * scale[0][0] * (1 << (qp / 6 - 6))
                             : (v * scale[0][0] + (1 << (5 - qp / 6))) >> (6 - qp / 6);
    }
    for (int block = 0; block < 16; block += n == 8 ? 4 : 1) {
        const int x = block % 2 * 4 + block / 4 % 2 * 8, y = block / 2 % 2 * 4 + block / 8 * 8;
        Matrix c = unscan(mb.of(block, n * n), n);
        if (mb.whole) c[0][0] = dc[y / 4][x / 4];
        if (!mb.bypass) c = residual_of(scaled(c, scale, qp, mb.whole));
        if (mb.bypass && mb.intra && !mb.whole) accumulate(c, mb.directions[block]);
        put(out, c, y, x);
    }
    if (mb.bypass && mb.whole) accumulate(out, mb.directions[1]);
    return out;
}

Matrix expected_chroma(const Drawn& mb, int component, const Sps& sps, const Pps& pps) {
    Matrix out = zeros(8);
    const int qp = chroma_qp(mb.qp, pps.chroma_qp_offset[component], sps.bit_depth_chroma);
    const Matrix scale = level_scale(pps.scaling.lists4x4[(mb.intra ? 1 : 4) + component], qp % 6);
    const std::vector<int64_t> levels = mb.of(BLOCK_CB_DC + component, 4);
    Matrix dc = {{levels[0], levels[1]}, {levels[2], levels[3]}};
    if (!mb.bypass) {
        const Matrix h = {{1, 1}, {1, -1}};
        dc = product(product(h, dc), h);
        for (auto& row : dc)
            for (auto& v : row) v = (v * scale[0][0] * (1 << (qp / 6))) >> 5;
    }
    for (int k = 0; k < 4; ++k) {
        Matrix c = unscan(mb.of(BLOCK_CB_AC + 4 * component + k, 16), 4);
        c[0][0] = dc[k / 2][k % 2];
        put(out, mb.bypass ? c : residual_of(scaled(c, scale, qp, true)), k / 2 * 4, k % 2 * 4);
    }
    if (mb.bypass && mb.intra) accumulate(out, mb.directions[16]);
    return out;
}

std::vector<int64_t> draw_levels(int first, int count, int limit) {
    std::vector<int64_t> levels(count, 0);
    const int filled = uniform(0, 2) ? uniform(1, 4) : count;
    for (int k = 0; k < filled; ++k) levels[uniform(0, 3) ? uniform(first, count - 1) : first] = uniform(-limit, limit);
    return levels;
}

Drawn draw(const Sps& sps, bool lossless) {
    Drawn mb;
    const int kind = uniform(0, 4);  // Intra_4x4, Intra_8x8, Intra_16x16, inter by 4x4, inter by 8x8
    mb.intra = kind < 3;
    mb.whole = kind == 2;
    mb.dct_8x8 = kind == 1 || kind == 4;
    mb.bypass = lossless;
    mb.qp = lossless ? -6 * (sps.bit_depth_luma - 8) : uniform(-6 * (sps.bit_depth_luma - 8), 51);
    // Scaled coefficients within SCALED_LIMIT with all weights 255, now and then beyond what int16 residuals can be.
    const int limit = lossless ? 3000 : 1 + ((uniform(0, 9) ? 500 : 4000) >> (mb.qp + 12) / 6);
    for (int block = 0; block < 27; ++block) {
        if (uniform(0, 3) == 0) continue;
        if (block < 16 && mb.dct_8x8 && block % 4) continue;
        if (block == BLOCK_LUMA_DC && !mb.whole) continue;
        if (block > BLOCK_LUMA_DC && sps.chroma_format_idc == 0) continue;
        const bool ac = block >= BLOCK_CB_AC || (block < 16 && mb.whole), chroma_dc = block == 17 || block == 18;
        const int count = chroma_dc ? 4 : block < 16 && mb.dct_8x8 ? 64 : 16;
        mb.levels[block] = draw_levels(ac, count, limit);
    }
    for (auto& direction : mb.directions) direction = uint8_t(mb.intra ? uniform(0, 2) : 0);
    if (mb.whole) std::fill(mb.directions.begin(), mb.directions.begin() + 16, mb.directions[0]);
    return mb;
}

std::shared_ptr<Pps> draw_pps(int weights) {
    auto pps = std::make_shared<Pps>();
    for (int& offset : pps->chroma_qp_offset) offset = uniform(-12, 12);
    for (auto& list : pps->scaling.lists4x4)
        for (auto& weight : list) weight = uint8_t(weights ? uniform(1, weights) : 16);
    for (auto& list : pps->scaling.lists8x8)
        for (auto& weight : list) weight = uint8_t(weights ? uniform(1, weights) : 16);
    return pps;
}

void add(const Drawn& mb, uint32_t address, MotionStore& motion, Coefficients& coefficients) {
    const auto flag = [](bool on, int value) { return on ? value : 0; };
    motion.flags[address] = uint8_t(flag(mb.intra, MB_INTRA) | flag(mb.dct_8x8, MB_8X8DCT) |
                                    flag(mb.bypass, MB_BYPASS));
    CodedMacroblock coded;
    coded.mb = address;
    coded.qp = int16_t(mb.qp);
    coded.first = uint32_t(coefficients.levels.size());
    std::vector<int> order;
    for (const auto& item : mb.levels) order.push_back(item.first);
    std::shuffle(order.begin(), order.end(), generator);
    for (const int block : order) {
        const auto& levels = mb.levels.at(block);
        for (size_t k = 0; k < levels.size(); ++k)
            if (levels[k]) coefficients.levels.push_back(coefficient(int(levels[k]), block, int(k)));
    }
    coded.end = uint32_t(coefficients.levels.size());
    if (mb.bypass && mb.intra) {
        coded.directions = int16_t(coefficients.directions.size());
        coefficients.directions.push_back(mb.directions);
        if (mb.whole) coefficients.directions.back()[0] |= BYPASS_INTRA_16X16;
    }
    if (coded.end != coded.first) coefficients.macroblocks.push_back(coded);
}

// The residual of a whole picture; planes may be null.
void reconstruct(const Coefficients& coefficients, const MotionStore& motion, int16_t* y, int16_t* cb, int16_t* cr) {
    int16_t* const planes[3] = {y, cb, cr};
    const MacroblockResidual residual(coefficients, motion);
    residual.blocks([&](const ResidualBlock& block) {
        const int stride = motion.mb_width * (block.plane ? 8 : 16);
        int16_t* const out = planes[block.plane];
        if (!out) return;
        for (int row = 0; row < block.size; ++row)
            std::copy_n(block.samples.samples + row * block.samples.stride, block.size,
                        out + (block.y + row) * stride + block.x);
    });
    const size_t count = size_t(motion.mb_width) * size_t(motion.mb_height);
    std::vector<int16_t> luma(256 * count), blue(64 * count), red(64 * count);
    const ptrdiff_t width = motion.mb_width;
    residual.write({{{luma.data(), 16 * width}, {blue.data(), 8 * width}, {red.data(), 8 * width}}});
    CHECK(std::equal(luma.begin(), luma.end(), y), "written at once it differs");
    if (cb) CHECK(std::equal(blue.begin(), blue.end(), cb) && std::equal(red.begin(), red.end(), cr), "chroma differs");
}

void compare(const int16_t* plane, int width, int x, int y, const Matrix& expected, const char* what) {
    for (size_t i = 0; i < expected.size(); ++i)
        for (size_t j = 0; j < expected.size(); ++j) {
            const int got = plane[(y + i) * width + x + j];
            CHECK(got == clip(expected[i][j]), "%s at x %zu y %zu: %d, expected %lld", what, x + j, y + i, got,
                  (long long)expected[i][j]);
        }
}

void test_picture(int depth_luma, int depth_chroma, int chroma_format, int weights, bool lossless) {
    auto sps = std::make_shared<Sps>();
    sps->chroma_format_idc = chroma_format;
    sps->bit_depth_luma = depth_luma;
    sps->bit_depth_chroma = depth_chroma;
    MotionStore motion;
    const int width = motion.mb_width = 13, height = motion.mb_height = 11, count = width * height;
    motion.flags.assign(count, 0);
    motion.slice.resize(count);
    Coefficients coefficients;
    coefficients.sps = sps;
    for (int k = 0; k < 3; ++k) coefficients.slices.push_back(draw_pps(weights));
    std::vector<Drawn> drawn(count);
    std::vector<bool> is_pcm(count);
    for (int k = 0; k < count; ++k) {
        motion.slice[k] = uint16_t(uniform(0, 9) ? k * 3 / count : uniform(0, 2));
        if (uniform(0, 9) == 0) {
            motion.flags[k] = MB_INTRA;
            is_pcm[k] = true;
            continue;
        }
        drawn[k] = draw(*sps, lossless);
        add(drawn[k], uint32_t(k), motion, coefficients);
    }
    std::vector<int16_t> y(256 * count), cb(64 * count), cr(64 * count);
    const bool chroma = chroma_format != 0;
    reconstruct(coefficients, motion, y.data(), chroma ? cb.data() : nullptr, chroma ? cr.data() : nullptr);
    for (int k = 0; k < count; ++k) {
        const int mb_x = k % width, mb_y = k / width;
        const Pps& pps = *coefficients.slices[motion.slice[k]];
        const bool pcm = is_pcm[k];
        const Matrix luma = pcm ? zeros(16) : expected_luma(drawn[k], *sps, pps.scaling);
        compare(y.data(), 16 * width, 16 * mb_x, 16 * mb_y, luma, "Y");
        for (int component = 0; chroma && component < 2; ++component) {
            const Matrix expected = pcm ? zeros(8) : expected_chroma(drawn[k], component, *sps, pps);
            compare((component ? cr : cb).data(), 8 * width, 8 * mb_x, 8 * mb_y, expected, component ? "Cr" : "Cb");
        }
    }
}

// Where no shift drops a bit, the transforms are products with the matrices of the standard's forward transform.
void test_matrices() {
    const Matrix t4 = {{2, 2, 2, 2}, {2, 1, -1, -2}, {2, -2, -2, 2}, {1, -2, 2, -1}};                   // doubled
    const Matrix t8 = {{8, 8, 8, 8, 8, 8, 8, 8},     {12, 10, 6, 3, -3, -6, -10, -12},
                       {8, 4, -4, -8, -8, -4, 4, 8}, {10, -3, -12, -6, 6, 12, 3, -10},
                       {8, -8, -8, 8, 8, -8, -8, 8}, {6, -12, 3, 10, -10, -3, 12, -6},
                       {4, -8, 8, -4, -4, 8, -8, 4}, {3, -6, 10, -12, 12, -10, 6, -3}};  // times 8
    for (int round = 0; round < 2000; ++round)
        for (const Matrix& t : {t4, t8}) {
            const int n = int(t.size()), unit = n == 4 ? 2 : 8;
            Matrix d = zeros(n), transposed = zeros(n);
            int32_t columns[64];
            int16_t out[64];
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j) {
                    d[i][j] = uniform(-60, 60) * unit * unit;
                    columns[j * n + i] = int32_t(d[i][j]);
                    transposed[i][j] = t[j][i];
                }
            const Matrix f = product(product(transposed, d), t);
            n == 4 ? inverse_4x4(columns, out, 4) : inverse_8x8(columns, out, 8);
            for (int k = 0; k < n * n; ++k) {
                const int64_t expected = (f[k / n][k % n] / (unit * unit) + 32) >> 6;
                CHECK(out[k] == expected, "%dx%d matrix at %d: %d", n, n, k, out[k]);
            }
        }
}

void test_dc_only() {
    for (int dc = -SCALED_LIMIT; dc <= SCALED_LIMIT; dc += dc > -5000 && dc < 5000 ? 1 : 4093) {
        int32_t d[64] = {dc};
        int16_t general[64], direct[64];
        inverse_4x4(d, general, 4);
        inverse_dc_4x4(dc, direct, 4);
        CHECK(std::equal(general, general + 16, direct), "4x4 DC %d", dc);
        inverse_8x8(d, general, 8);
        inverse_dc_8x8(dc, direct, 8);
        CHECK(std::equal(general, general + 64, direct), "8x8 DC %d", dc);
    }
}

// Levels that no encoder writes: nothing may overflow, or be written outside of the planes.
void test_broken() {
    auto sps = std::make_shared<Sps>();
    sps->bit_depth_luma = sps->bit_depth_chroma = 10;
    MotionStore motion;
    motion.mb_width = motion.mb_height = 1;
    motion.slice.assign(1, 0);
    Coefficients coefficients;
    coefficients.sps = sps;
    coefficients.slices.push_back(draw_pps(255));
    for (int round = 0; round < 3000; ++round) {
        motion.flags.assign(1, uint8_t(uniform(0, 255)));
        coefficients.directions.assign(1, BypassDirections{});
        for (auto& direction : coefficients.directions[0]) direction = uint8_t(uniform(0, 7));
        coefficients.levels.clear();
        for (int k = uniform(1, 400); k > 0; --k) {
            const int level = uniform(0, 1) ? (uniform(0, 1) ? 524287 : -524288) : uniform(-524288, 524287);
            coefficients.levels.push_back(coefficient(level, uniform(0, 26), uniform(0, 63)));
        }
        std::vector<Coefficient>(coefficients.levels).swap(coefficients.levels);  // no room for ASan to miss an overrun
        CodedMacroblock mb;
        mb.end = uint32_t(coefficients.levels.size());
        mb.qp = int16_t(uniform(-12, 51));
        mb.directions = int16_t(uniform(-1, 0));
        coefficients.macroblocks.assign(1, mb);
        std::vector<int16_t> y(256), cb(64), cr(64);
        reconstruct(coefficients, motion, y.data(), cb.data(), cr.data());
    }
}

}  // namespace

int main() {
    test_matrices();
    test_dc_only();
    for (int round = 0; round < 24; ++round)
        for (const int chroma_format : {0, 1})
            for (const bool lossless : {false, true}) {
                const int weights = round % 3 == 0 ? 0 : round % 3 == 1 ? 40 : 255;
                test_picture(8 + round % 3, 8 + round / 3 % 3, chroma_format, weights, lossless);
            }
    test_broken();
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0;
}
