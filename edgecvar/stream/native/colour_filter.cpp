#include "colour_filter.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace edgecvar {

namespace {

// Samples of `bits` more than 8 in 8 bits, halves rounded away from zero.
void narrow(int16_t* samples, int count, int bits) {
    for (int i = 0; i < count; ++i) samples[i] = int16_t((samples[i] + (1 << (bits - 1)) - (samples[i] < 0)) >> bits);
}

bool any_in(const int16_t* samples, int count) {
    uint64_t four, all = 0;
    for (int i = 0; i < count; i += 4) {  // the sides of blocks are multiples of four
        std::memcpy(&four, samples + i, sizeof four);
        all |= four;
    }
    return all != 0;
}

// One channel of samples of y, cb and cr.
void mix(const Colour& colour, size_t channel, const float* const in[3], std::vector<float>& out) {
    const Channel& of = colour.channels[channel];
    const float *const y = in[0], *const cb = in[1], *const cr = in[2];
    for (size_t i = 0; i < out.size(); ++i) {
        const float value = of.y * y[i] + of.cb * cb[i] + of.cr * cr[i] + of.offset;
        out[i] = std::clamp(value, colour.low, colour.high) * of.scale + of.shift;
    }
}

float of_nothing(const Colour& colour, size_t channel) {
    const Channel& of = colour.channels[channel];
    return std::clamp(of.offset, colour.low, colour.high) * of.scale + of.shift;
}

bool is_half(const Axis& chroma, const Axis& luma) {
    return chroma.outputs() == luma.outputs() && chroma.inputs() == (luma.inputs() + 1) / 2;
}

}  // namespace

ColourFilter::ColourFilter(const Axes& luma, const Axes& chroma)
    : luma_(luma), chroma_(chroma), parts_{Filter(luma_), Filter(chroma_), Filter(chroma_)},
      wholes_{Resampler(luma_), Resampler(chroma_), Resampler(chroma_)} {
    if (!is_half(chroma.rows, luma.rows) || !is_half(chroma.columns, luma.columns))
        throw std::invalid_argument("the axes of luma and chroma do not belong to one picture");
}

void ColourFilter::residual(const ParsedPicture& picture, const Colour& colour, const Targets& targets) {
    if (!picture.motion || !picture.residual) throw std::invalid_argument("an I picture has no motion and no residual");
    const Sequence& sequence = *picture.sequence;
    if (sequence.coded_width != luma_.columns.inputs() || sequence.coded_height != luma_.rows.inputs())
        throw std::invalid_argument("a picture of another size");
    const std::lock_guard<std::mutex> lock(mutex_);
    const int bits[2] = {sequence.bit_depth_luma - 8, sequence.bit_depth_chroma - 8};
    picture.residual->blocks([&](const ResidualBlock& block) {
        const int more = bits[block.plane > 0];
        for (int row = 0; row < block.size; ++row) {
            int16_t* const line = block.samples.samples + row * block.samples.stride;
            if (!any_in(line, block.size)) continue;
            if (more > 0) narrow(line, block.size, more);
            parts_[size_t(block.plane)].add(block.y + row, block.x, block.size, line);
        }
    });
    const size_t count = size_t(luma_.columns.outputs());
    std::vector<float> lines(3 * count), line(count);
    float* const in[3] = {lines.data(), lines.data() + count, lines.data() + 2 * count};
    for (int row = 0; row < luma_.rows.outputs(); ++row) {
        bool any = false;
        for (size_t part = 0; part < 3; ++part) any |= parts_[part].take(row, in[part]);
        for (size_t part = 0; part < 3; ++part) {
            if (any) {
                mix(colour, part, in, line);
            } else {
                std::fill(line.begin(), line.end(), of_nothing(colour, part));
            }
            targets[part].store(row, line.data(), int(count));
        }
    }
}

template <class Sample>
void ColourFilter::planes(const std::array<Samples<Sample>, 3>& planes, const Colour& colour, const Targets& targets) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const float* in[3];
    for (size_t part = 0; part < 3; ++part) in[part] = wholes_[part].plane(planes[part].at, planes[part].stride);
    std::vector<float> line(size_t(luma_.columns.outputs()));
    for (int row = 0; row < luma_.rows.outputs(); ++row) {
        for (size_t part = 0; part < 3; ++part) {
            mix(colour, part, in, line);
            targets[part].store(row, line.data(), int(line.size()));
        }
        for (const float*& each : in) each += line.size();
    }
}

template void ColourFilter::planes(const std::array<Samples<uint8_t>, 3>&, const Colour&, const Targets&);
template void ColourFilter::planes(const std::array<Samples<int16_t>, 3>&, const Colour&, const Targets&);

}  // namespace edgecvar
