// The residual against a slow, direct reading of ITU-T H.265, 8.6.2 to 8.6.4.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "hevc/residual.h"

using namespace edgecvar;
using namespace edgecvar::hevc;

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

using Matrix = std::vector<std::vector<int64_t>>;  // [row y][column x]
std::mt19937 generator(265);

int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
Matrix zeros(int n) { return Matrix(size_t(n), std::vector<int64_t>(size_t(n), 0)); }
int64_t clip(int64_t v) { return std::min<int64_t>(32767, std::max<int64_t>(-32768, v)); }

// clang-format off: the rows of transMatrix (8-311), columns 0 to 15
const int16_t TRANS_MATRIX[32][16] = {
    {64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64},
    {90, 90, 88, 85, 82, 78, 73, 67, 61, 54, 46, 38, 31, 22, 13, 4},
    {90, 87, 80, 70, 57, 43, 25, 9, -9, -25, -43, -57, -70, -80, -87, -90},
    {90, 82, 67, 46, 22, -4, -31, -54, -73, -85, -90, -88, -78, -61, -38, -13},
    {89, 75, 50, 18, -18, -50, -75, -89, -89, -75, -50, -18, 18, 50, 75, 89},
    {88, 67, 31, -13, -54, -82, -90, -78, -46, -4, 38, 73, 90, 85, 61, 22},
    {87, 57, 9, -43, -80, -90, -70, -25, 25, 70, 90, 80, 43, -9, -57, -87},
    {85, 46, -13, -67, -90, -73, -22, 38, 82, 88, 54, -4, -61, -90, -78, -31},
    {83, 36, -36, -83, -83, -36, 36, 83, 83, 36, -36, -83, -83, -36, 36, 83},
    {82, 22, -54, -90, -61, 13, 78, 85, 31, -46, -90, -67, 4, 73, 88, 38},
    {80, 9, -70, -87, -25, 57, 90, 43, -43, -90, -57, 25, 87, 70, -9, -80},
    {78, -4, -82, -73, 13, 85, 67, -22, -88, -61, 31, 90, 54, -38, -90, -46},
    {75, -18, -89, -50, 50, 89, 18, -75, -75, 18, 89, 50, -50, -89, -18, 75},
    {73, -31, -90, -22, 78, 67, -38, -90, -13, 82, 61, -46, -88, -4, 85, 54},
    {70, -43, -87, 9, 90, 25, -80, -57, 57, 80, -25, -90, -9, 87, 43, -70},
    {67, -54, -78, 38, 85, -22, -90, 4, 90, 13, -88, -31, 82, 46, -73, -61},
    {64, -64, -64, 64, 64, -64, -64, 64, 64, -64, -64, 64, 64, -64, -64, 64},
    {61, -73, -46, 82, 31, -88, -13, 90, -4, -90, 22, 85, -38, -78, 54, 67},
    {57, -80, -25, 90, -9, -87, 43, 70, -70, -43, 87, 9, -90, 25, 80, -57},
    {54, -85, -4, 88, -46, -61, 82, 13, -90, 38, 67, -78, -22, 90, -31, -73},
    {50, -89, 18, 75, -75, -18, 89, -50, -50, 89, -18, -75, 75, 18, -89, 50},
    {46, -90, 38, 54, -90, 31, 61, -88, 22, 67, -85, 13, 73, -82, 4, 78},
    {43, -90, 57, 25, -87, 70, 9, -80, 80, -9, -70, 87, -25, -57, 90, -43},
    {38, -88, 73, -4, -67, 90, -46, -31, 85, -78, 13, 61, -90, 54, 22, -82},
    {36, -83, 83, -36, -36, 83, -83, 36, 36, -83, 83, -36, -36, 83, -83, 36},
    {31, -78, 90, -61, 4, 54, -88, 82, -38, -22, 73, -90, 67, -13, -46, 85},
    {25, -70, 90, -80, 43, 9, -57, 87, -87, 57, -9, -43, 80, -90, 70, -25},
    {22, -61, 85, -90, 73, -38, -4, 46, -78, 90, -82, 54, -13, -31, 67, -88},
    {18, -50, 75, -89, 89, -75, 50, -18, -18, 50, -75, 89, -89, 75, -50, 18},
    {13, -38, 61, -78, 88, -90, 85, -73, 54, -31, 4, 22, -46, 67, -82, 90},
    {9, -25, 43, -57, 70, -80, 87, -90, 90, -87, 80, -70, 57, -43, 25, -9},
    {4, -13, 22, -31, 38, -46, 54, -61, 67, -73, 78, -82, 85, -88, 90, -90}};
// clang-format on

// The rows by which the coefficients of an n x n block count.
Matrix transform_matrix(int n, bool dst) {
    if (dst) return {{29, 55, 74, 84}, {74, 74, 0, -74}, {84, -29, -74, 55}, {55, -84, 74, -29}};
    Matrix m = zeros(n);
    for (int k = 0; k < n; ++k)
        for (int x = 0; x < n; ++x) {
            const int row = k * 32 / n;
            // Even rows are symmetric, odd ones the contrary; smaller matrices are rows of the large one, cut off.
            m[k][x] = x < 16 ? TRANS_MATRIX[row][x] : (row % 2 ? -1 : 1) * TRANS_MATRIX[row][31 - x];
        }
    return m;
}

struct Case {
    CodedBlock block;
    Matrix levels;
};

// The up-right diagonal scan (6.5.3), step by step.
std::vector<std::pair<int, int>> diagonal_scan(int n) {
    std::vector<std::pair<int, int>> scan;
    int x = 0, y = 0;
    while (int(scan.size()) < n * n) {
        while (y >= 0) {
            if (x < n && y < n) scan.push_back({x, y});
            --y, ++x;
        }
        y = x, x = 0;
    }
    return scan;
}

// ScalingFactor (7.4.5).
Matrix scaling_factor(const ScalingLists& lists, int size_id, int matrix_id) {
    const int n = 4 << size_id, listed = n == 4 ? 4 : 8, repeat = n / listed;
    Matrix m = zeros(n);
    const auto scan = diagonal_scan(listed);
    for (size_t k = 0; k < scan.size(); ++k)
        for (int j = 0; j < repeat; ++j)
            for (int i = 0; i < repeat; ++i)
                m[scan[k].second * repeat + j][scan[k].first * repeat + i] = lists.lists[size_id][matrix_id][k];
    if (size_id > 1) m[0][0] = lists.dc[size_id - 2][matrix_id];
    return m;
}

int64_t rounded(int64_t value, int shift) { return (value + (int64_t(1) << (shift - 1))) >> shift; }

Matrix expected(const Case& drawn, const Sps& sps, const Pps& pps) {
    static const int LEVEL_SCALE[6] = {40, 45, 51, 57, 64, 72};
    const CodedBlock& block = drawn.block;
    if (block.flags & BLOCK_BYPASS) return drawn.levels;
    const int n = 1 << block.log2_size, depth = block.plane ? sps.bit_depth_chroma : sps.bit_depth_luma;
    const int matrix_id = n == 32 ? (block.flags & BLOCK_INTRA ? 0 : 3)
                                  : (block.flags & BLOCK_INTRA ? 0 : 3) + block.plane;
    const Matrix factor = scaling_factor(pps.scaling, block.log2_size - 2, matrix_id);
    const bool flat = !sps.scaling_list_enabled || (block.flags & BLOCK_SKIP && n > 4);
    const bool dst = block.flags & BLOCK_DST;
    Matrix d = zeros(n), g = zeros(n), r = zeros(n);
    for (int y = 0; y < n; ++y)
        for (int x = 0; x < n; ++x) {
            const int64_t m = flat ? 16 : factor[y][x];
            const int64_t scale = m * LEVEL_SCALE[block.qp % 6] * (int64_t(1) << (block.qp / 6));
            d[y][x] = clip(rounded(drawn.levels[y][x] * scale, depth + block.log2_size + 10 - 15));
        }
    if (block.flags & BLOCK_SKIP) {
        for (int y = 0; y < n; ++y)
            for (int x = 0; x < n; ++x) r[y][x] = clip(rounded(d[y][x] * (1 << (5 + block.log2_size)), 20 - depth));
        return r;
    }
    const Matrix matrix = transform_matrix(n, dst);
    for (int x = 0; x < n; ++x)
        for (int y = 0; y < n; ++y) {
            int64_t e = 0;
            for (int k = 0; k < n; ++k) e += matrix[k][y] * d[k][x];
            g[y][x] = clip(rounded(e, 7));
        }
    for (int y = 0; y < n; ++y)
        for (int x = 0; x < n; ++x) {
            int64_t sum = 0;
            for (int k = 0; k < n; ++k) sum += matrix[k][x] * g[y][k];
            r[y][x] = clip(rounded(sum, 20 - depth));
        }
    return r;
}

Matrix draw_levels(int n, int limit) {
    Matrix levels = zeros(n);
    const int kind = uniform(0, 6);
    const int width = kind == 0 ? 1 : kind == 1 ? n : kind == 2 ? 1 : kind == 3 ? n : uniform(1, n);
    const int height = kind == 0 ? 1 : kind == 1 ? 1 : kind == 2 ? n : kind == 3 ? n : uniform(1, n);
    const int count = kind == 3 ? n * n : uniform(1, 8);
    levels[0][0] = uniform(-limit, limit);
    for (int k = 0; k < count; ++k) levels[uniform(0, height - 1)][uniform(0, width - 1)] = uniform(-limit, limit);
    if (uniform(0, 3) == 0) levels[0][0] = 0;
    return levels;
}

Case draw(const Sps& sps) {
    Case drawn;
    CodedBlock& block = drawn.block;
    block.plane = uint8_t(sps.chroma_format_idc ? uniform(0, 2) : 0);
    block.log2_size = uint8_t(uniform(2, block.plane ? 4 : 5));
    block.x = uint16_t(uniform(0, 500) << 2), block.y = uint16_t(uniform(0, 500) << 2);
    block.qp = int8_t(uniform(0, 63));
    const bool intra = uniform(0, 1);
    block.flags = intra ? BLOCK_INTRA : 0;
    if (intra && block.plane == 0 && block.log2_size == 2) block.flags |= BLOCK_DST;
    if (uniform(0, 5) == 0) block.flags |= BLOCK_SKIP;
    if (uniform(0, 5) == 0) block.flags |= BLOCK_BYPASS;
    const int limit = uniform(0, 4) == 0 ? 32767 : 1 + (4000 >> block.qp / 6);
    drawn.levels = draw_levels(1 << block.log2_size, limit);
    if (uniform(0, 50) == 0) drawn.levels[0][0] = -32768;
    return drawn;
}

void add(Case& drawn, Coefficients& coefficients) {
    std::vector<Level> levels;
    for (size_t y = 0; y < drawn.levels.size(); ++y)
        for (size_t x = 0; x < drawn.levels.size(); ++x)
            if (drawn.levels[y][x]) levels.push_back(level_at(int(drawn.levels[y][x]), int(x), int(y)));
    if (levels.empty()) {
        drawn.levels[1][1] = 1;
        levels.push_back(level_at(1, 1, 1));
    }
    std::shuffle(levels.begin(), levels.end(), generator);
    drawn.block.first = uint32_t(coefficients.levels.size());
    coefficients.levels.insert(coefficients.levels.end(), levels.begin(), levels.end());
    drawn.block.end = uint32_t(coefficients.levels.size());
    coefficients.blocks.push_back(drawn.block);
}

std::shared_ptr<Sps> draw_sps(int depth_luma, int depth_chroma, int chroma_format, bool lists) {
    auto sps = std::make_shared<Sps>();
    sps->bit_depth_luma = depth_luma;
    sps->bit_depth_chroma = depth_chroma;
    sps->chroma_format_idc = chroma_format;
    sps->scaling_list_enabled = lists;
    return sps;
}

std::shared_ptr<Pps> draw_pps() {
    auto pps = std::make_shared<Pps>();
    for (auto& size : pps->scaling.lists)
        for (auto& list : size)
            for (auto& weight : list) weight = uint8_t(uniform(1, 255));
    for (auto& size : pps->scaling.dc)
        for (auto& weight : size) weight = uint8_t(uniform(1, 255));
    return pps;
}

bool all_zero(const Matrix& m) {
    for (const auto& row : m)
        for (const int64_t v : row)
            if (v) return false;
    return true;
}

void compare(const ResidualBlock& block, const Case& drawn, const Matrix& right) {
    const CodedBlock& coded = drawn.block;
    CHECK(block.plane == coded.plane && block.x == coded.x && block.y == coded.y && block.size == 1 << coded.log2_size,
          "plane %d x %d y %d size %d", block.plane, block.x, block.y, block.size);
    if (block.size != 1 << coded.log2_size) return;
    for (int y = 0; y < block.size; ++y)
        for (int x = 0; x < block.size; ++x) {
            const int got = block.samples.samples[y * block.samples.stride + x];
            CHECK(got == right[y][x], "size %d plane %d qp %d flags %d x %d y %d: %d, expected %lld", block.size,
                  coded.plane, coded.qp, coded.flags, x, y, got, (long long)right[y][x]);
        }
}

// Blocks come in order; one that is left out is all zero. Visited twice, with what the visitor spoils in between.
void test_picture(const std::shared_ptr<Sps>& sps, int count) {
    Coefficients coefficients;
    coefficients.sps = sps;
    coefficients.pps = draw_pps();
    const Pps& pps = *coefficients.pps;
    std::vector<Case> cases;
    std::vector<Matrix> right;
    for (int k = 0; k < count; ++k) {
        cases.push_back(draw(*sps));
        add(cases.back(), coefficients);
        right.push_back(expected(cases.back(), *sps, pps));
    }
    const auto keep = coefficients.pps;
    const auto residual = coded_residual(std::move(coefficients));
    for (int round = 0; round < 2; ++round) {
        size_t next = 0;
        residual->blocks([&](const ResidualBlock& block) {
            while (next < cases.size() && all_zero(right[next]) && cases[next].block.x != block.x) ++next;
            CHECK(next < cases.size(), "%zu blocks, and one more", cases.size());
            if (next == cases.size()) return;
            compare(block, cases[next], right[next]);
            ++next;
            std::fill_n(block.samples.samples, block.size * block.size, int16_t(12345));
        });
        while (next < cases.size() && all_zero(right[next])) ++next;
        CHECK(next == cases.size(), "%zu of %zu blocks", next, cases.size());
    }
}

void test_no_chroma() {
    Coefficients coefficients;
    coefficients.sps = draw_sps(8, 8, 0, false);
    coefficients.pps = draw_pps();
    for (int plane = 0; plane < 3; ++plane) {
        Case drawn;
        drawn.block.plane = uint8_t(plane);
        drawn.block.qp = 30;
        drawn.levels = zeros(4);
        drawn.levels[0][0] = 100;
        add(drawn, coefficients);
    }
    int planes = 0;
    coded_residual(std::move(coefficients))->blocks([&](const ResidualBlock& block) { planes += 1 << block.plane; });
    CHECK(planes == 1, "planes %d", planes);
}

// What no encoder writes: nothing may overflow, or be written outside of the block.
void test_broken() {
    Coefficients coefficients;
    coefficients.sps = draw_sps(8 + 2 * uniform(0, 1), 8, 1, true);
    coefficients.pps = draw_pps();
    for (int k = 0; k < 100; ++k) {
        CodedBlock block;
        block.plane = uint8_t(uniform(0, 2));
        block.log2_size = uint8_t(uniform(2, 5));
        block.qp = int8_t(uniform(-128, 127));
        block.flags = uint8_t(uniform(0, 15));
        block.first = uint32_t(coefficients.levels.size());
        const int n = uniform(0, 1) ? 32 : 1 << block.log2_size;
        const int sign = uniform(0, 2);
        for (int y = 0; y < n; ++y)
            for (int x = 0; x < n; ++x)
                coefficients.levels.push_back(level_at((sign == 2 ? uniform(0, 1) : sign) ? 32767 : -32768, x, y));
        block.end = uint32_t(coefficients.levels.size());
        coefficients.blocks.push_back(block);
    }
    int64_t sum = 0;
    int blocks = 0;
    coded_residual(std::move(coefficients))->blocks([&](const ResidualBlock& block) {
        for (int k = 0; k < block.size * block.size; ++k) sum += block.samples.samples[k] != 0;
        ++blocks;
    });
    CHECK(blocks > 50 && sum > 0, "%d blocks", blocks);
}

}  // namespace

int main() {
    for (int round = 0; round < 3; ++round)
        for (const int depth_luma : {8, 10})
            for (const int depth_chroma : {8, 10})
                for (const int chroma_format : {0, 1})
                    for (const bool lists : {false, true})
                        test_picture(draw_sps(depth_luma, depth_chroma, chroma_format, lists), 200);
    test_no_chroma();
    for (int round = 0; round < 10; ++round) test_broken();
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0;
}
