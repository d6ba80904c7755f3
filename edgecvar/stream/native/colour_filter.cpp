#include "colour_filter.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace edgecvar {

namespace {

// A macroblock's part of a plane.
template <int SIDE>
struct Part {
    alignas(32) int16_t samples[SIDE * SIDE] = {};

    Plane plane() { return {samples, SIDE}; }

    // Samples of `bits` more than 8 in 8 bits, halves rounded away from zero.
    void narrow(int bits) {
        if (bits == 0) return;
        for (int16_t& sample : samples) sample = int16_t((sample + (1 << (bits - 1)) - (sample < 0)) >> bits);
    }

    // Adds the rows that are not zero, and makes all zero again.
    void add_to(Filter& filter, int row, int column) {
        static constexpr int16_t NOTHING[SIDE] = {};
        for (int y = 0; y < SIDE; ++y) {
            const int16_t* line = samples + y * SIDE;
            if (std::memcmp(line, NOTHING, sizeof NOTHING) != 0) filter.add(row + y, column, SIDE, line);
        }
        std::memset(samples, 0, sizeof samples);
    }
};

bool is_half(const Axis& chroma, const Axis& luma) {
    return chroma.outputs() == luma.outputs() && chroma.inputs() == (luma.inputs() + 1) / 2;
}

}  // namespace

ColourFilter::ColourFilter(const Axes& luma, const Axes& chroma)
    : luma_(luma), chroma_(chroma), parts_{Filter(luma_), Filter(chroma_), Filter(chroma_)} {
    if (!is_half(chroma.rows, luma.rows) || !is_half(chroma.columns, luma.columns))
        throw std::invalid_argument("the axes of luma and chroma do not belong to one picture");
}

void ColourFilter::residual(const ParsedPicture& picture, const Colour& colour, const Targets& targets) {
    if (!picture.motion) throw std::invalid_argument("an I picture has no motion and no residual");
    const MotionStore& motion = *picture.motion;
    if (motion.mb_width * 16 != luma_.columns.inputs() || motion.mb_height * 16 != luma_.rows.inputs())
        throw std::invalid_argument("a picture of another size");
    const std::lock_guard<std::mutex> lock(mutex_);
    Reconstructor reconstructor(picture.coefficients, motion);
    const int luma_bits = picture.sps->bit_depth_luma - 8, chroma_bits = picture.sps->bit_depth_chroma - 8;
    Part<16> y;
    Part<8> cb, cr;
    for (const CodedMacroblock& mb : picture.coefficients.macroblocks) {
        const int row = int(mb.mb) / motion.mb_width, column = int(mb.mb) % motion.mb_width;
        reconstructor.macroblock(mb, y.plane(), cb.plane(), cr.plane());
        y.narrow(luma_bits);
        cb.narrow(chroma_bits);
        cr.narrow(chroma_bits);
        y.add_to(parts_[0], 16 * row, 16 * column);
        cb.add_to(parts_[1], 8 * row, 8 * column);
        cr.add_to(parts_[2], 8 * row, 8 * column);
    }
    finish(colour, targets);
}

template <class Sample>
void ColourFilter::planes(const std::array<Samples<Sample>, 3>& planes, const Colour& colour, const Targets& targets) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t part = 0; part < 3; ++part) {
        const Axes& axes = parts_[part].axes();
        for (int row = axes.rows.begin(); row < axes.rows.end(); ++row)
            parts_[part].add(row, 0, axes.columns.inputs(), planes[part].at + row * planes[part].stride);
    }
    finish(colour, targets);
}

template void ColourFilter::planes(const std::array<Samples<uint8_t>, 3>&, const Colour&, const Targets&);
template void ColourFilter::planes(const std::array<Samples<int16_t>, 3>&, const Colour&, const Targets&);

void ColourFilter::finish(const Colour& colour, const Targets& targets) {
    const size_t count = size_t(luma_.columns.outputs());
    std::vector<float> lines(4 * count);
    float *const y = lines.data(), *const cb = y + count, *const cr = cb + count, *const line = cr + count;
    for (int row = 0; row < luma_.rows.outputs(); ++row) {
        const bool in_y = parts_[0].take(row, y), in_cb = parts_[1].take(row, cb), in_cr = parts_[2].take(row, cr);
        for (size_t part = 0; part < 3; ++part) {
            const Channel& channel = colour.channels[part];
            if (!in_y && !in_cb && !in_cr) {
                std::fill_n(line, count,
                            std::clamp(channel.offset, colour.low, colour.high) * channel.scale + channel.shift);
                targets[part].store(row, line, int(count));
                continue;
            }
            for (size_t i = 0; i < count; ++i) {
                const float value = channel.y * y[i] + channel.cb * cb[i] + channel.cr * cr[i] + channel.offset;
                line[i] = std::clamp(value, colour.low, colour.high) * channel.scale + channel.shift;
            }
            targets[part].store(row, line, int(count));
        }
    }
}

}  // namespace edgecvar
