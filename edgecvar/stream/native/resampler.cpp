// A few output rows at a time, so that all of it stays near: along columns for samples side by side, then along rows for
// those output rows side by side.
#include "resampler.h"

#include <algorithm>

// What pays to be compiled for wider registers too; which of both is taken is known when the program is loaded, which is
// before the thread sanitizer is there.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

namespace edgecvar {

namespace {

constexpr int BLOCK = 32;  // sums that stay in registers
constexpr int LANES = 16;  // output rows at a time

// Weighted sums of samples `stride` apart, COUNT side by side.
template <int COUNT, class Sample>
inline void sum(const Sample* samples, ptrdiff_t stride, const Axis::Taps& taps, float* sums) {
    float totals[COUNT] = {};
    for (int tap = 0; tap < taps.count; ++tap, samples += stride)
        for (int i = 0; i < COUNT; ++i) totals[i] += taps.weights[tap] * float(samples[i]);
    std::copy_n(totals, COUNT, sums);
}

template <class Sample>
inline void sum_rows(const Sample* samples, ptrdiff_t stride, const Axis::Taps& taps, int count, float* sums) {
    if (count < BLOCK) {
        for (int at = 0; at < count; ++at) sum<1>(samples + at, stride, taps, sums + at);
        return;
    }
    for (int at = 0; at < count; at += BLOCK) {
        const int from = std::min(at, count - BLOCK);  // the last sums twice what the one before it may have
        sum<BLOCK>(samples + from, stride, taps, sums + from);
    }
}

struct Room {
    float *rows, *columns, *out;
};

template <class Sample>
inline void resample(const Axes& axes, const Sample* samples, ptrdiff_t stride, const Room& room) {
    const int begin = axes.columns.begin(), used = axes.columns.end() - begin, width = axes.columns.outputs();
    for (int row = 0; row < axes.rows.outputs(); row += LANES) {
        const int lanes = std::min(LANES, axes.rows.outputs() - row);
        for (int lane = 0; lane < lanes; ++lane) {
            const Axis::Taps taps = axes.rows.taps(row + lane);
            sum_rows(samples + taps.first * stride + begin, stride, taps, used, room.rows + ptrdiff_t(lane) * used);
        }
        for (int column = 0; column < used; ++column)
            for (int lane = 0; lane < LANES; ++lane)
                room.columns[ptrdiff_t(column) * LANES + lane] = room.rows[ptrdiff_t(lane) * used + column];
        for (int column = 0; column < width; ++column) {
            const Axis::Taps taps = axes.columns.taps(column);
            float sums[LANES];
            sum<LANES>(room.columns + ptrdiff_t(taps.first - begin) * LANES, LANES, taps, sums);
            for (int lane = 0; lane < lanes; ++lane) room.out[ptrdiff_t(row + lane) * width + column] = sums[lane];
        }
    }
}

}  // namespace

WIDE void resample_bytes(const Axes& axes, const uint8_t* samples, ptrdiff_t stride, const Room& room) {
    resample(axes, samples, stride, room);
}

WIDE void resample_words(const Axes& axes, const int16_t* samples, ptrdiff_t stride, const Room& room) {
    resample(axes, samples, stride, room);
}

Resampler::Resampler(const Axes& axes)
    : axes_(&axes), rows_(size_t(axes.columns.end() - axes.columns.begin()) * LANES), columns_(rows_.size()),
      out_(size_t(axes.rows.outputs()) * size_t(axes.columns.outputs())) {}

const float* Resampler::plane(const uint8_t* samples, ptrdiff_t stride) {
    resample_bytes(*axes_, samples, stride, {rows_.data(), columns_.data(), out_.data()});
    return out_.data();
}

const float* Resampler::plane(const int16_t* samples, ptrdiff_t stride) {
    resample_words(*axes_, samples, stride, {rows_.data(), columns_.data(), out_.data()});
    return out_.data();
}

}  // namespace edgecvar
