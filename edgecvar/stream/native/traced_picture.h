// What has been added up along the paths of one picture's samples, kept by macroblocks that pictures share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace edgecvar {

// Where a plane of a macroblock begins in its samples, its side, and how wide a sample is: 2^quarters quarter pixels.
struct SumsPlane {
    int first, side, quarters;
};
constexpr SumsPlane SUMS_PLANES[3] = {{0, 16, 2}, {256, 8, 3}, {320, 8, 3}};  // y, cb, cr

// The sums of one macroblock.
struct Sums {
    static constexpr int SAMPLES = 256 + 64 + 64;

    float displacement[16][2];  // in pixels (x, y), of its 4x4 blocks in raster order
    int16_t samples[SAMPLES];   // residual, by SUMS_PLANES; not set where `coded` is false, and 0 then
    bool coded;
};

// Which sums of a pool they are. Where all are zero, as a path begins, there are none.
using SumsIndex = uint32_t;
constexpr SumsIndex NO_SUMS = 0;

// Memory for sums, used again; `mutex` is held by whoever calls.
class SumsPool {
public:
    Sums* at(SumsIndex index) { return index == NO_SUMS ? nullptr : &slabs_[index / SLAB][index % SLAB]; }
    SumsIndex take();  // with one holder, nothing set
    SumsIndex share(SumsIndex index) {
        if (index != NO_SUMS) ++holders_[index];
        return index;
    }
    void drop(SumsIndex index) noexcept {
        if (index != NO_SUMS && --holders_[index] == 0) free_.push_back(index);
    }

    std::mutex mutex;

private:
    static constexpr size_t SLAB = 64;

    std::vector<std::unique_ptr<Sums[]>> slabs_;
    std::vector<uint32_t> holders_;  // apart from the sums, so that to share them touches little memory
    std::vector<SumsIndex> free_;    // has room for all
};

// The sums of one picture, whose macroblocks are squares of 16x16 samples; the border may cut the last ones.
class TracedPicture {
public:
    TracedPicture(std::shared_ptr<SumsPool> pool, int width, int height);
    ~TracedPicture();
    TracedPicture(const TracedPicture&) = delete;
    TracedPicture& operator=(const TracedPicture&) = delete;

    int width() const { return width_; }  // in luma samples
    int height() const { return height_; }
    int mb_width() const { return mb_width_; }
    int mb_height() const { return mb_height_; }
    const SumsPool* pool() const { return pool_.get(); }

    // While the pool is held: those of a macroblock, null where there are none; `set` takes them over from a holder.
    const Sums* sums(int mb_x, int mb_y) const { return pool_->at(at(mb_x, mb_y)); }
    SumsIndex at(int mb_x, int mb_y) const { return indices_[size_t(mb_y) * size_t(mb_width_) + size_t(mb_x)]; }
    void set(int mb_x, int mb_y, SumsIndex index) { indices_[size_t(mb_y) * size_t(mb_width_) + size_t(mb_x)] = index; }

    // float (height / 4) x (width / 4) x 2, and planes of height x width and half of it; all zero on entry.
    void displacement(float* out) const;
    void residual(int16_t* y, int16_t* cb, int16_t* cr) const;

private:
    std::shared_ptr<SumsPool> pool_;
    int width_, height_, mb_width_, mb_height_;
    std::vector<SumsIndex> indices_;
};

}  // namespace edgecvar
