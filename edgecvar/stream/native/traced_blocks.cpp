// Blocks of a parsed picture and of one in arrays, for accumulation.
#include "traced_blocks.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "velocity.h"

namespace edgecvar {

namespace {

// Whether the 4x4 blocks of a macroblock have one vector.
bool are_alike(const MotionVector* mv, size_t stride) {
    uint64_t first, pair, other = 0;
    const MotionVector twice[2] = {mv[0], mv[0]};
    std::memcpy(&first, twice, sizeof first);
    for (size_t row = 0; row < 4; ++row) {
        for (size_t half = 0; half < 2; ++half) {
            std::memcpy(&pair, mv + row * stride + half * 2, sizeof pair);
            other |= pair ^ first;
        }
    }
    return other == 0;
}

// Divides by 2^shift, halves away from zero.
int16_t rescaled(int16_t sample, int shift) {
    return shift > 0 ? int16_t((sample + (1 << (shift - 1)) - (sample < 0)) >> shift) : sample;
}

constexpr BlockPrediction NOTHING = {{-1, -1}, {{0, 0}, {0, 0}}};

// In rising order, once each, and without 0, which stands for none.
std::vector<int> distinct(std::vector<int> offsets) {
    std::sort(offsets.begin(), offsets.end());
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
    offsets.erase(std::remove(offsets.begin(), offsets.end(), 0), offsets.end());
    return offsets;
}

// The residual of a picture by squares of 16x16 samples, in 8-bit units.
class SquaredResidual {
public:
    explicit SquaredResidual(const ParsedPicture& picture)
        : mb_width_(size_t(picture.motion->mb_width)), coded_(picture.motion->slice.size(), -1) {
        const int shifts[2] = {picture.sequence->bit_depth_luma - 8, picture.sequence->bit_depth_chroma - 8};
        picture.residual->blocks([&](const ResidualBlock& block) { add(block, shifts[block.plane > 0]); });
    }

    // Null where nothing is coded.
    const int16_t* at(int mb_x, int mb_y) const {
        const int index = coded_[size_t(mb_y) * mb_width_ + size_t(mb_x)];
        return index < 0 ? nullptr : samples_.data() + size_t(index) * Sums::SAMPLES;
    }

private:
    void add(const ResidualBlock& block, int shift) {
        const SumsPlane& plane = SUMS_PLANES[block.plane];
        const int size = std::min(block.size, plane.side);  // of the part of it in one square
        for (int y = 0; y < block.size; y += size) {
            for (int x = 0; x < block.size; x += size) {
                const int left = block.x + x, top = block.y + y;
                int16_t* const out = square(left / plane.side, top / plane.side) + plane.first +
                                     top % plane.side * plane.side + left % plane.side;
                const int16_t* const in = block.samples.samples + y * block.samples.stride + x;
                for (int row = 0; row < size; ++row)
                    for (int i = 0; i < size; ++i)
                        out[row * plane.side + i] = rescaled(in[row * block.samples.stride + i], shift);
            }
        }
    }

    int16_t* square(int mb_x, int mb_y) {
        int& index = coded_[size_t(mb_y) * mb_width_ + size_t(mb_x)];
        if (index < 0) {
            index = int(samples_.size() / Sums::SAMPLES);
            samples_.resize(samples_.size() + Sums::SAMPLES, 0);
        }
        return samples_.data() + size_t(index) * Sums::SAMPLES;
    }

    const size_t mb_width_;
    std::vector<int> coded_;  // which of the squares in `samples_`, -1: none
    std::vector<int16_t> samples_;
};

class ParsedBlocks : public TracedBlocks {
public:
    ParsedBlocks(const ParsedPicture& picture, const std::vector<TracedReference>& references)
        : TracedBlocks(references), motion_(*picture.motion), residual_(picture) {
        for (const SliceReferences& slice : motion_.slices) {
            auto& table = tables_.emplace_back();
            for (size_t list = 0; list < 2; ++list) {
                table[list].fill(UNUSED);
                for (size_t i = 0; i < std::min<size_t>(slice.lists[list].size(), 32); ++i)
                    table[list][i + 1] = reference_at(display_offset(*picture.tag, *slice.lists[list][i]));
            }
        }
    }

    bool predict(int mb_x, int mb_y, MacroblockPrediction& blocks) override {
        const bool cut = 4 * mb_x + 4 > motion_.width || 4 * mb_y + 4 > motion_.height;
        const bool alike = !cut && all_alike(mb_x, mb_y);
        for (int block = 0; block < (alike ? 1 : 16); ++block) {
            const int x = 4 * mb_x + (block & 3), y = 4 * mb_y + (block >> 2);
            blocks[size_t(block)] = x < motion_.width && y < motion_.height ? at(x, y) : NOTHING;
        }
        return alike;
    }

    bool residual(int mb_x, int mb_y, int16_t* samples) override {
        const int16_t* const own = residual_.at(mb_x, mb_y);
        if (own) std::copy_n(own, Sums::SAMPLES, samples);
        return own != nullptr;
    }

private:
    // Whether the 4x4 blocks of a whole square have one vector and one reference.
    bool all_alike(int mb_x, int mb_y) const {
        const int log2 = motion_.ref_log2;
        const size_t width = size_t(motion_.width), count = width >> log2, side = size_t(4) >> log2;
        for (size_t list = 0; list < (motion_.two_lists ? 2u : 1u); ++list) {
            const int8_t* ref = motion_.ref.data() + list * motion_.ref.size() / 2 +
                                (size_t(mb_y) * 4 >> log2) * count + (size_t(mb_x) * 4 >> log2);
            for (size_t row = 0; row < side; ++row)
                for (size_t i = 0; i < side; ++i)
                    if (ref[row * count + i] != ref[0]) return false;
            const MotionVector* mv = motion_.mv.data() + list * motion_.mv.size() / 2;
            if (!are_alike(mv + size_t(mb_y) * 4 * width + size_t(mb_x) * 4, width)) return false;
        }
        return true;
    }

    BlockPrediction at(int x, int y) const {
        const int log2 = motion_.ref_log2;
        const size_t width = size_t(motion_.width), block = size_t(y) * width + size_t(x);
        const size_t ref = (size_t(y) >> log2) * (width >> log2) + (size_t(x) >> log2);
        const auto& table = tables_[motion_.slice[size_t(y / 4) * size_t(motion_.mb_width) + size_t(x / 4)]];
        const int8_t zero = table[0][size_t(motion_.ref[ref] + 1)];
        if (!motion_.two_lists) return chosen(zero, UNUSED, motion_.mv[block], {});
        const int8_t one = table[1][size_t(motion_.ref[motion_.ref.size() / 2 + ref] + 1)];
        return chosen(zero, one, motion_.mv[block], motion_.mv[motion_.mv.size() / 2 + block]);
    }

    const MotionStore& motion_;
    const SquaredResidual residual_;
    std::vector<std::array<std::array<int8_t, 33>, 2>> tables_;  // by slice, list and ref_idx + 1
};

class ArrayBlocks : public TracedBlocks {
public:
    ArrayBlocks(const PictureArrays& picture, int width, int height, const std::vector<TracedReference>& references)
        : TracedBlocks(references), picture_(picture), width_(width), height_(height),
          plane_(size_t(width / 4) * size_t(height / 4)) {}

    bool predict(int mb_x, int mb_y, MacroblockPrediction& blocks) override {
        for (int block = 0; block < 16; ++block) {
            const int x = 4 * mb_x + block % 4, y = 4 * mb_y + block / 4;
            blocks[size_t(block)] = 4 * x < width_ && 4 * y < height_ ? at(x, y) : NOTHING;
        }
        return std::all_of(blocks.begin() + 1, blocks.end(), [&](const auto& block) { return block == blocks[0]; });
    }

    bool residual(int mb_x, int mb_y, int16_t* samples) override {
        const int16_t* const planes[3] = {picture_.y, picture_.cb, picture_.cr};
        for (size_t i = 0; i < 3; ++i) {
            const int side = SUMS_PLANES[i].side, width = width_ * side / 16, height = height_ * side / 16;
            const int left = mb_x * side, top = mb_y * side;
            for (int row = 0; row < std::min(side, height - top); ++row)
                std::copy_n(planes[i] + size_t(top + row) * size_t(width) + size_t(left), std::min(side, width - left),
                            samples + SUMS_PLANES[i].first + row * side);
        }
        return std::any_of(samples, samples + Sums::SAMPLES, [](int16_t sample) { return sample != 0; });
    }

private:
    BlockPrediction at(int x, int y) {
        const size_t block = size_t(y) * size_t(width_ / 4) + size_t(x);
        int8_t references[2];
        for (size_t list = 0; list < 2; ++list)
            references[list] = picture_.intra[block] ? UNUSED : looked_up(picture_.ref_offset[list * plane_ + block]);
        return chosen(references[0], references[1], picture_.mv[block], picture_.mv[plane_ + block]);
    }

    // Most blocks have the offset of the one before.
    int8_t looked_up(int offset) {
        if (offset != offset_) reference_ = reference_at(offset);
        offset_ = offset;
        return reference_;
    }

    const PictureArrays& picture_;
    const int width_, height_;
    const size_t plane_;
    int offset_ = 0;
    int8_t reference_ = UNUSED;
};

}  // namespace

int8_t TracedBlocks::reference_at(int offset) const {
    if (offset == 0) return UNUSED;
    for (size_t i = 0; i < references_.size(); ++i)
        if (references_[i].offset == offset) return int8_t(i);
    return MISSING;
}

BlockPrediction TracedBlocks::chosen(int8_t zero, int8_t one, MotionVector mv_zero, MotionVector mv_one) const {
    if (zero == MISSING || one == MISSING) throw std::invalid_argument("a reference in use is not among those given");
    if (zero != UNUSED && one != UNUSED) {
        const bool current[2] = {references_[size_t(zero)].current, references_[size_t(one)].current};
        if (current[0] != current[1]) (current[0] ? one : zero) = UNUSED;
    }
    const MotionVector none{};
    return {{zero, one}, {zero == UNUSED ? none : mv_zero, one == UNUSED ? none : mv_one}};
}

std::unique_ptr<TracedBlocks> traced_blocks(const ParsedPicture& picture,
                                            const std::vector<TracedReference>& references) {
    return std::make_unique<ParsedBlocks>(picture, references);
}

std::unique_ptr<TracedBlocks> traced_blocks(const PictureArrays& picture, int width, int height,
                                            const std::vector<TracedReference>& references) {
    return std::make_unique<ArrayBlocks>(picture, width, height, references);
}

std::vector<int> offsets_in_use(const ParsedPicture& picture) {
    const MotionStore& motion = *picture.motion;
    const int log2 = motion.ref_log2;
    const size_t lists = motion.two_lists ? 2 : 1, count = size_t(motion.width) >> log2;
    std::vector<std::array<uint64_t, 2>> used(motion.slices.size(), {0, 0});  // bit ref_idx + 1, by slice and list
    for (size_t list = 0; list < lists; ++list) {
        const int8_t* ref = motion.ref.data() + list * motion.ref.size() / 2;
        for (size_t row = 0; row < size_t(motion.height) >> log2; ++row, ref += count) {
            const uint16_t* slice = motion.slice.data() + (row << log2 >> 2) * size_t(motion.mb_width);
            for (size_t i = 0; i < count; ++i) used[slice[i << log2 >> 2]][list] |= uint64_t(1) << (ref[i] + 1);
        }
    }
    std::vector<int> offsets;
    for (size_t slice = 0; slice < used.size(); ++slice)
        for (size_t list = 0; list < lists; ++list)
            for (size_t i = 0; i < motion.slices[slice].lists[list].size(); ++i)
                if (used[slice][list] >> (i + 1) & 1)
                    offsets.push_back(display_offset(*picture.tag, *motion.slices[slice].lists[list][i]));
    return distinct(offsets);
}

std::vector<int> offsets_in_use(const int16_t* ref_offset, const bool* intra, size_t blocks) {
    std::vector<int> offsets;
    for (size_t at = 0; at < 2 * blocks; ++at) {
        const int offset = intra[at % blocks] ? 0 : ref_offset[at];
        if (offsets.empty() || offset != offsets.back()) offsets.push_back(offset);
    }
    return distinct(offsets);
}

}  // namespace edgecvar
