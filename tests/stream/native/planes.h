// Everything the core gives out of one picture, asked for as the Python binding asks.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "decoder.h"

struct Planes {
    std::vector<int16_t> ref_offset, weight, offset, y, cb, cr;
    std::vector<uint8_t> log2_denominator;
    std::unique_ptr<bool[]> intra, weighted;
    size_t blocks = 0;

    // The picture is not an I picture.
    explicit Planes(const edgecvar::ParsedPicture& picture) {
        const size_t width = size_t(picture.sequence->coded_width), height = size_t(picture.sequence->coded_height);
        blocks = size_t(picture.motion->width) * size_t(picture.motion->height);
        ref_offset.resize(2 * blocks);
        intra.reset(new bool[blocks]);
        weighted.reset(new bool[blocks]);
        weight.resize(6 * blocks);
        offset.resize(6 * blocks);
        log2_denominator.resize(3 * blocks);
        y.resize(width * height);
        cb.resize(width * height / 4);
        cr.resize(width * height / 4);
        edgecvar::motion_output(picture, ref_offset.data(), intra.get(), weighted.get());
        edgecvar::weight_output(picture, weight.data(), offset.data(), log2_denominator.data());
        picture.residual->blocks([&](const edgecvar::ResidualBlock& block) {
            std::vector<int16_t>& plane = block.plane == 0 ? y : block.plane == 1 ? cb : cr;
            const size_t stride = block.plane == 0 ? width : width / 2;
            for (int row = 0; row < block.size; ++row)
                std::copy_n(block.samples.samples + row * block.samples.stride, block.size,
                            plane.data() + size_t(block.y + row) * stride + size_t(block.x));
        });
    }
};
