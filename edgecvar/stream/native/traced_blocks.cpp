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
void rescale(int16_t* samples, int shift) {
    for (int i = 0; i < Sums::SAMPLES; ++i)
        samples[i] = int16_t((samples[i] + (1 << (shift - 1)) - (samples[i] < 0)) >> shift);
}

// In rising order, once each, and without 0, which stands for none.
std::vector<int> distinct(std::vector<int> offsets) {
    std::sort(offsets.begin(), offsets.end());
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
    offsets.erase(std::remove(offsets.begin(), offsets.end(), 0), offsets.end());
    return offsets;
}

class ParsedBlocks : public TracedBlocks {
public:
    ParsedBlocks(const ParsedPicture& picture, const std::vector<TracedReference>& references)
        : TracedBlocks(references), motion_(*picture.motion), coefficients_(picture.coefficients),
          reconstructor_(picture.coefficients, *picture.motion), shift_(picture.sps->bit_depth_luma - 8),
          coded_(motion_.slice.size(), -1) {
        for (const SliceReferences& slice : motion_.slices) {
            auto& table = tables_.emplace_back();
            for (size_t list = 0; list < 2; ++list) {
                table[list].fill(UNUSED);
                for (size_t i = 0; i < std::min<size_t>(slice.lists[list].size(), 32); ++i)
                    table[list][i + 1] = reference_at(display_offset(*picture.tag, *slice.lists[list][i]));
            }
        }
        for (size_t i = 0; i < coefficients_.macroblocks.size(); ++i) coded_[coefficients_.macroblocks[i].mb] = int(i);
    }

    bool predict(int mb_x, int mb_y, MacroblockPrediction& blocks) override {
        const size_t width4 = size_t(motion_.mb_width) * 4, width8 = width4 / 2, plane = coded_.size() * 16;
        const size_t at4 = size_t(mb_y) * 4 * width4 + size_t(mb_x) * 4,
                     at8 = size_t(mb_y) * 2 * width8 + size_t(mb_x) * 2;
        const auto& table = tables_[motion_.slice[size_t(mb_y) * size_t(motion_.mb_width) + size_t(mb_x)]];
        const MotionVector* mv[2] = {motion_.mv.data() + at4, motion_.mv.data() + plane + at4};
        int8_t references[2][4] = {{UNUSED, UNUSED, UNUSED, UNUSED}, {UNUSED, UNUSED, UNUSED, UNUSED}};
        bool alike = true;
        for (size_t list = 0; list < (motion_.two_lists ? 2u : 1u); ++list) {
            const int8_t* ref = motion_.ref.data() + list * plane / 4 + at8;
            const int8_t own[4] = {ref[0], ref[1], ref[width8], ref[width8 + 1]};
            for (size_t i = 0; i < 4; ++i) references[list][i] = table[list][size_t(own[i] + 1)];
            alike = alike && own[0] == own[1] && own[0] == own[2] && own[0] == own[3] && are_alike(mv[list], width4);
        }
        for (size_t block = 0; block < (alike ? 1u : 16u); ++block) {
            const size_t row = block >> 2, column = block & 3, eighth = (row & 2) + (column >> 1);
            const size_t offset = row * width4 + column;
            const MotionVector one = motion_.two_lists ? mv[1][offset] : MotionVector{};
            blocks[block] = chosen(references[0][eighth], references[1][eighth], mv[0][offset], one);
        }
        return alike;
    }

    bool residual(int mb_x, int mb_y, int16_t* samples) override {
        const int index = coded_[size_t(mb_y) * size_t(motion_.mb_width) + size_t(mb_x)];
        if (index < 0) return false;
        const auto plane = [&](size_t i) { return Plane{samples + SUMS_PLANES[i].first, SUMS_PLANES[i].side}; };
        reconstructor_.macroblock(coefficients_.macroblocks[size_t(index)], plane(0), plane(1), plane(2));
        if (shift_ > 0) rescale(samples, shift_);
        return true;
    }

private:
    const MotionStore& motion_;
    const Coefficients& coefficients_;
    Reconstructor reconstructor_;
    const int shift_;         // to 8-bit units
    std::vector<int> coded_;  // index into the coded macroblocks, -1: none
    std::vector<std::array<std::array<int8_t, 33>, 2>> tables_;  // by slice, list and ref_idx + 1
};

class ArrayBlocks : public TracedBlocks {
public:
    ArrayBlocks(const PictureArrays& picture, int mb_width, int mb_height,
                const std::vector<TracedReference>& references)
        : TracedBlocks(references), picture_(picture), mb_width_(size_t(mb_width)),
          plane_(16 * size_t(mb_width) * size_t(mb_height)) {}

    bool predict(int mb_x, int mb_y, MacroblockPrediction& blocks) override {
        for (size_t block = 0; block < 16; ++block) {
            const size_t row = size_t(mb_y) * 4 + block / 4, at = row * mb_width_ * 4 + size_t(mb_x) * 4 + block % 4;
            int8_t references[2];
            for (size_t list = 0; list < 2; ++list)
                references[list] = picture_.intra[at] ? UNUSED : looked_up(picture_.ref_offset[list * plane_ + at]);
            blocks[block] = chosen(references[0], references[1], picture_.mv[at], picture_.mv[plane_ + at]);
        }
        return std::all_of(blocks.begin() + 1, blocks.end(), [&](const auto& block) { return block == blocks[0]; });
    }

    bool residual(int mb_x, int mb_y, int16_t* samples) override {
        const int16_t* const planes[3] = {picture_.y, picture_.cb, picture_.cr};
        for (size_t i = 0; i < 3; ++i) {
            const ptrdiff_t side = SUMS_PLANES[i].side, stride = side * ptrdiff_t(mb_width_);
            const int16_t* corner = planes[i] + mb_y * side * stride + mb_x * side;
            for (ptrdiff_t row = 0; row < side; ++row)
                std::copy_n(corner + row * stride, side, samples + SUMS_PLANES[i].first + row * side);
        }
        return std::any_of(samples, samples + Sums::SAMPLES, [](int16_t sample) { return sample != 0; });
    }

private:
    // Most blocks have the offset of the one before.
    int8_t looked_up(int offset) {
        if (offset != offset_) reference_ = reference_at(offset);
        offset_ = offset;
        return reference_;
    }

    const PictureArrays& picture_;
    const size_t mb_width_, plane_;
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

std::unique_ptr<TracedBlocks> traced_blocks(const PictureArrays& picture, int mb_width, int mb_height,
                                            const std::vector<TracedReference>& references) {
    return std::make_unique<ArrayBlocks>(picture, mb_width, mb_height, references);
}

std::vector<int> offsets_in_use(const ParsedPicture& picture) {
    const MotionStore& motion = *picture.motion;
    const size_t lists = motion.two_lists ? 2 : 1;
    std::vector<std::array<uint64_t, 2>> used(motion.slices.size(), {0, 0});  // bit ref_idx + 1, by slice and list
    for (size_t list = 0; list < lists; ++list) {
        const int8_t* ref = motion.ref.data() + list * motion.ref.size() / 2;
        for (int row = 0; row < 2 * motion.mb_height; ++row) {
            const uint16_t* slice = motion.slice.data() + (row >> 1) * motion.mb_width;
            for (int mb = 0; mb < motion.mb_width; ++mb, ref += 2)
                used[slice[mb]][list] |= uint64_t(1) << (ref[0] + 1) | uint64_t(1) << (ref[1] + 1);
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
