// One pass over a picture's macroblocks: what stands still is shared with its reference, the rest is added up.
#include "accumulation.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "traced_blocks.h"

namespace edgecvar {

namespace {

constexpr int BLOCK_QUARTERS = 4;  // a 4x4 block is 2^4 quarter pixels wide

// Whole units of 2^quarters quarter pixels, to nearest.
constexpr int whole(int quarter_pixels, int quarters) { return (quarter_pixels + (1 << (quarters - 1))) >> quarters; }

// Adds `times` what a plane of `reference` has in a square that begins at (x, y), inside the picture; false where that
// is nothing.
bool add_inside(const TracedPicture& reference, const SumsPlane& plane, int x, int y, int size, int times,
                int32_t* out) {
    bool any = false;
    for (int mb_y = y / plane.side; mb_y * plane.side < y + size; ++mb_y) {
        const int top = std::max(y, mb_y * plane.side), bottom = std::min(y + size, (mb_y + 1) * plane.side);
        for (int mb_x = x / plane.side; mb_x * plane.side < x + size; ++mb_x) {
            const Sums* sums = reference.sums(mb_x, mb_y);
            if (!sums || !sums->coded) continue;
            any = true;
            const int left = std::max(x, mb_x * plane.side), right = std::min(x + size, (mb_x + 1) * plane.side);
            for (int row = top; row < bottom; ++row) {
                const int16_t* from = sums->samples + plane.first + (row % plane.side) * plane.side + left % plane.side;
                int32_t* to = out + (row - y) * plane.side + left - x;
                for (int i = 0; i < right - left; ++i) to[i] += times * from[i];
            }
        }
    }
    return any;
}

// The same where it may lie outside: then its nearest samples inside.
bool add_square(const TracedPicture& reference, const SumsPlane& plane, int x, int y, int size, int times,
                int32_t* out) {
    const int coarser = 16 / plane.side, width = reference.width() / coarser, height = reference.height() / coarser;
    if (x >= 0 && y >= 0 && x + size <= width && y + size <= height)
        return add_inside(reference, plane, x, y, size, times, out);
    bool any = false;
    for (int row = 0; row < size; ++row) {
        for (int column = 0; column < size; ++column) {
            const int from_x = std::clamp(x + column, 0, width - 1), from_y = std::clamp(y + row, 0, height - 1);
            any |= add_inside(reference, plane, from_x, from_y, 1, times, out + row * plane.side + column);
        }
    }
    return any;
}

// Half of `doubled`, halves to even, within the limits of int16.
int16_t halved(int32_t doubled) {
    const int32_t half = doubled >> 1, even = half + (doubled & half & 1);
    return int16_t(std::clamp(even, int32_t(INT16_MIN), int32_t(INT16_MAX)));
}

class Follower {
public:
    Follower(TracedBlocks& blocks, bool residual, const std::vector<TracedReference>& references, SumsPool& pool)
        : blocks_(blocks), residual_(residual), references_(references), pool_(pool) {}

    // The sums of one macroblock, with one holder more.
    SumsIndex macroblock(int mb_x, int mb_y) {
        const bool alike = blocks_.predict(mb_x, mb_y, predictions_);
        const bool coded = residual_ && blocks_.residual(mb_x, mb_y, own_);
        SumsIndex index = NO_SUMS;
        if (alike && !coded && stands_still(mb_x, mb_y, index)) return pool_.share(index);
        if (alike) std::fill(predictions_.begin() + 1, predictions_.end(), predictions_[0]);
        index = pool_.take();
        Sums& sums = *pool_.at(index);
        displacement(mb_x, mb_y, sums);
        sums.coded = residual_ && residual(mb_x, mb_y, alike, coded, sums.samples);
        if (sums.coded || moves(sums)) return index;
        pool_.drop(index);
        return NO_SUMS;
    }

private:
    // Whether the whole macroblock is what its references have in its place, all the same: `index`, then.
    bool stands_still(int mb_x, int mb_y, SumsIndex& index) const {
        const BlockPrediction& all = predictions_[0];
        bool any = false;
        for (int list = 0; list < 2; ++list) {
            if (all.reference[list] < 0) continue;
            if (all.mv[list].x != 0 || all.mv[list].y != 0) return false;
            const SumsIndex there = references_[size_t(all.reference[list])].picture->at(mb_x, mb_y);
            if (any && there != index) return false;
            index = there;
            any = true;
        }
        return true;
    }

    static bool moves(const Sums& sums) {
        const float* first = &sums.displacement[0][0];
        return std::any_of(first, first + 32, [](float pixels) { return pixels != 0; });
    }

    void displacement(int mb_x, int mb_y, Sums& sums) const {
        for (int block = 0; block < 16; ++block) {
            float* total = sums.displacement[block];
            total[0] = total[1] = 0;
            const BlockPrediction& prediction = predictions_[size_t(block)];
            const float share = prediction.lists() == 2 ? 0.5f : 1.0f;
            for (int list = 0; list < 2; ++list) {
                if (prediction.reference[list] < 0) continue;
                const TracedPicture& reference = *references_[size_t(prediction.reference[list])].picture;
                const MotionVector mv = prediction.mv[list];
                const int x = std::clamp(mb_x * 4 + block % 4 + whole(mv.x, BLOCK_QUARTERS), 0,
                                         reference.width() / 4 - 1);
                const int y = std::clamp(mb_y * 4 + block / 4 + whole(mv.y, BLOCK_QUARTERS), 0,
                                         reference.height() / 4 - 1);
                const Sums* there = reference.sums(x / 4, y / 4);
                const float* before = there ? there->displacement[y % 4 * 4 + x % 4] : NOWHERE;
                total[0] += share * (before[0] - float(mv.x) / 4);
                total[1] += share * (before[1] - float(mv.y) / 4);
            }
        }
    }

    // False where all are zero, and not set then.
    bool residual(int mb_x, int mb_y, bool alike, bool coded, int16_t* samples) {
        std::memset(doubled_, 0, sizeof doubled_);
        const int size = alike ? 16 : quarters_alike() ? 8 : 4;
        bool fetched = false;
        for (int y = 0; y < 16; y += size)
            for (int x = 0; x < 16; x += size) fetched |= fetch(mb_x, mb_y, x, y, size);
        if (!fetched && !coded) return false;
        int any = 0;
        for (int i = 0; i < Sums::SAMPLES; ++i) {
            samples[i] = halved(2 * own_[i] + doubled_[i]);
            any |= samples[i];
        }
        if (coded) std::memset(own_, 0, sizeof own_);
        return any != 0;
    }

    // Twice what the references of the square at (x, y) of the macroblock give.
    bool fetch(int mb_x, int mb_y, int x, int y, int size) {
        const BlockPrediction& prediction = predictions_[size_t(y + x / 4)];
        const int times = prediction.lists() == 2 ? 1 : 2;
        bool any = false;
        for (int list = 0; list < 2; ++list) {
            if (prediction.reference[list] < 0) continue;
            const TracedPicture& reference = *references_[size_t(prediction.reference[list])].picture;
            const MotionVector mv = prediction.mv[list];
            for (const SumsPlane& plane : SUMS_PLANES) {
                const int coarser = 16 / plane.side, left = x / coarser, top = y / coarser;
                any |= add_square(reference, plane, mb_x * plane.side + left + whole(mv.x, plane.quarters),
                                  mb_y * plane.side + top + whole(mv.y, plane.quarters), size / coarser, times,
                                  doubled_ + plane.first + top * plane.side + left);
            }
        }
        return any;
    }

    bool quarters_alike() const {
        for (size_t block = 0; block < 16; ++block)
            if (!(predictions_[block] == predictions_[block & 10])) return false;  // the first of its 8x8 block
        return true;
    }

    static constexpr float NOWHERE[2] = {0, 0};

    TracedBlocks& blocks_;
    const bool residual_;
    const std::vector<TracedReference>& references_;
    SumsPool& pool_;
    MacroblockPrediction predictions_;
    int16_t own_[Sums::SAMPLES] = {};  // all zero between macroblocks
    int32_t doubled_[Sums::SAMPLES];
};

}  // namespace

Accumulator::Accumulator(int width, int height, bool residual)
    : width_(width), height_(height), residual_(residual), pool_(std::make_shared<SumsPool>()) {}

std::shared_ptr<TracedPicture> Accumulator::origin() const {
    return std::make_shared<TracedPicture>(pool_, width_, height_);
}

std::shared_ptr<TracedPicture> Accumulator::follow(const ParsedPicture& picture,
                                                   const std::vector<TracedReference>& references) const {
    if (!picture.motion) throw std::invalid_argument("an I picture has no paths");
    if (4 * picture.motion->width != width_ || 4 * picture.motion->height != height_)
        throw std::invalid_argument("a picture of another size");
    return follow(*traced_blocks(picture, checked(references)), references);
}

std::shared_ptr<TracedPicture> Accumulator::follow(const PictureArrays& picture,
                                                   const std::vector<TracedReference>& references) const {
    if (residual_ && !(picture.y && picture.cb && picture.cr)) throw std::invalid_argument("no residual to add up");
    return follow(*traced_blocks(picture, width_, height_, checked(references)), references);
}

std::shared_ptr<TracedPicture> Accumulator::follow(TracedBlocks& blocks,
                                                   const std::vector<TracedReference>& references) const {
    const std::shared_ptr<TracedPicture> traced = origin();
    const std::lock_guard<std::mutex> lock(pool_->mutex);
    Follower follower(blocks, residual_, references, *pool_);
    for (int mb_y = 0; mb_y < traced->mb_height(); ++mb_y)
        for (int mb_x = 0; mb_x < traced->mb_width(); ++mb_x) traced->set(mb_x, mb_y, follower.macroblock(mb_x, mb_y));
    return traced;
}

const std::vector<TracedReference>& Accumulator::checked(const std::vector<TracedReference>& references) const {
    constexpr size_t MOST = 127;
    if (references.size() > MOST) throw std::invalid_argument("more references than a picture can have");
    for (const TracedReference& reference : references)
        if (!reference.picture || reference.picture->pool() != pool_.get())
            throw std::invalid_argument("a reference of another accumulator");
    return references;
}

}  // namespace edgecvar
