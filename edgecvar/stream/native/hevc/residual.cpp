// The residual that coefficient levels stand for: scaling, and which transform follows (ITU-T H.265, 8.6.2 to 8.6.4).
#include "hevc/residual.h"

#include <algorithm>
#include <utility>

#include "hevc/transform.h"

namespace edgecvar::hevc {
namespace {

constexpr int LEVEL_SCALE[6] = {40, 45, 51, 57, 64, 72};
constexpr int FLAT = 16;   // m without scaling lists
constexpr int MOST_QP = 63;  // 51 + QpBdOffset of 10 bit

// ScalingFactor (7.4.5) in raster order, of each list made when first asked for.
class ScalingFactors {
public:
    explicit ScalingFactors(const ScalingLists& lists) : lists_(lists) {}

    const uint8_t* of(int size_id, int matrix_id) {
        static constexpr int START[4] = {0, 6 * 16, 6 * (16 + 64), 6 * (16 + 64 + 256)};
        if (size_id == 3) matrix_id -= matrix_id % 3;  // of cb and cr there is none in 4:2:0
        uint8_t* factors = factors_ + START[size_id] +
                           ((size_id == 3 ? matrix_id / 3 : matrix_id) << (4 + 2 * size_id));
        uint32_t& made = made_[size_id];
        if (!(made >> matrix_id & 1)) make(size_id, matrix_id, factors);
        made |= 1u << matrix_id;
        return factors;
    }

private:
    void make(int size_id, int matrix_id, uint8_t* factors) const {
        const uint8_t* list = lists_.lists[size_t(size_id)][size_t(matrix_id)].data();
        const int size = 4 << size_id, listed = std::min(size, 8), repeat = size / listed;
        for (int diagonal = 0; diagonal < 2 * listed - 1; ++diagonal)
            for (int y = std::min(diagonal, listed - 1); y >= 0 && diagonal - y < listed; --y, ++list)
                for (int row = 0; row < repeat; ++row)
                    std::fill_n(factors + (y * repeat + row) * size + (diagonal - y) * repeat, repeat, *list);
        if (size_id >= 2) factors[0] = lists_.dc[size_t(size_id - 2)][size_t(matrix_id)];
    }

    const ScalingLists& lists_;
    uint32_t made_[4] = {};  // by size, a bit a matrix
    uint8_t factors_[6 * (16 + 64 + 256) + 2 * 1024];
};

// One block after another, in the same memory.
class BlockReconstructor {
public:
    explicit BlockReconstructor(const Coefficients& coefficients)
        : coefficients_(coefficients), factors_(coefficients.pps->scaling) {}

    // False where nothing is left of the levels.
    bool reconstruct(const CodedBlock& block) {
        const Level* first = coefficients_.levels.data() + block.first;
        const Level* end = first + std::min(block.end - block.first, 1u << (2 * block.log2_size));
        if (block.flags & BLOCK_BYPASS) {
            take_levels(first, end, block.log2_size);
            return true;
        }
        const Sps& sps = *coefficients_.sps;
        const int bit_depth = block.plane == 0 ? sps.bit_depth_luma : sps.bit_depth_chroma;
        const ScaledBlock scaled{scaled_, scale(block, bit_depth, first, end), block.log2_size, bit_depth};
        if (scaled.count == 0) return false;
        if (block.flags & BLOCK_SKIP)
            skip_transform(scaled, samples_);
        else if (block.flags & BLOCK_DST && block.log2_size == 2)
            inverse_dst(scaled, samples_);
        else
            inverse_dct(scaled, samples_);
        return true;
    }

    int16_t* samples() { return samples_; }

private:
    void take_levels(const Level* level, const Level* end, int log2_size) {
        const int within = (1 << log2_size) - 1;
        std::fill_n(samples_, 1 << (2 * log2_size), int16_t(0));
        for (; level != end; ++level)
            samples_[((y_of(*level) & within) << log2_size) + (x_of(*level) & within)] = int16_t(value_of(*level));
    }

    // 8.6.4.1; the number of coefficients that are not 0.
    int scale(const CodedBlock& block, int bit_depth, const Level* level, const Level* end) {
        const int qp = std::clamp(int(block.qp), 0, MOST_QP), shift = bit_depth + block.log2_size - 5;
        const int64_t scale = LEVEL_SCALE[qp % 6] << (qp / 6), half = int64_t(1) << (shift - 1);
        const int within = (1 << block.log2_size) - 1;
        const bool flat = !coefficients_.sps->scaling_list_enabled || (block.flags & BLOCK_SKIP && block.log2_size > 2);
        const uint8_t* factors = flat ? nullptr
                                      : factors_.of(block.log2_size - 2,
                                                    (block.flags & BLOCK_INTRA ? 0 : 3) + block.plane);
        Scaled* scaled = scaled_;
        for (; level != end; ++level) {
            const int x = x_of(*level) & within, y = y_of(*level) & within;
            const int m = factors ? factors[(y << block.log2_size) + x] : FLAT;
            const int16_t value = clip_int16((value_of(*level) * (m * scale) + half) >> shift);
            *scaled = {value, uint8_t(x), uint8_t(y)};
            scaled += value != 0;
        }
        return int(scaled - scaled_);
    }

    const Coefficients& coefficients_;
    ScalingFactors factors_;
    Scaled scaled_[32 * 32];
    alignas(32) int16_t samples_[32 * 32];
};

class PictureResidual final : public CodedResidual {
public:
    explicit PictureResidual(Coefficients coefficients) : coefficients_(std::move(coefficients)) {}

    void blocks(const std::function<void(const ResidualBlock&)>& visit) const override {
        if (coefficients_.blocks.empty()) return;
        BlockReconstructor reconstructor(coefficients_);
        const int planes = coefficients_.sps->chroma_format_idc == 0 ? 1 : 3;
        for (const CodedBlock& block : coefficients_.blocks) {
            if (block.plane >= planes || !reconstructor.reconstruct(block)) continue;
            const int size = 1 << block.log2_size;
            visit({block.plane, block.x, block.y, size, {reconstructor.samples(), size}});
        }
    }

private:
    Coefficients coefficients_;
};

}  // namespace

std::unique_ptr<const CodedResidual> coded_residual(Coefficients coefficients) {
    return std::make_unique<PictureResidual>(std::move(coefficients));
}

}  // namespace edgecvar::hevc
