// Everything the core gives out of one picture, asked for as the Python binding asks.
#pragma once

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
        const size_t macroblocks = size_t(picture.motion->mb_width) * size_t(picture.motion->mb_height);
        blocks = 16 * macroblocks;
        ref_offset.resize(2 * blocks);
        intra.reset(new bool[blocks]);
        weighted.reset(new bool[blocks]);
        weight.resize(6 * blocks);
        offset.resize(6 * blocks);
        log2_denominator.resize(3 * blocks);
        y.resize(256 * macroblocks);
        cb.resize(64 * macroblocks);
        cr.resize(64 * macroblocks);
        edgecvar::motion_output(picture, ref_offset.data(), intra.get(), weighted.get());
        edgecvar::weight_output(picture, weight.data(), offset.data(), log2_denominator.data());
        edgecvar::reconstruct(picture.coefficients, *picture.motion, y.data(), cb.data(), cr.data());
    }
};
