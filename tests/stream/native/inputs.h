// What a network would be given of a picture.
#pragma once

#include <vector>

#include "block_filter.h"
#include "colour_filter.h"
#include "triangle.h"

// Velocity, residual and share of intra area, of a view that cuts a little off and makes the rest smaller.
inline std::vector<float> prepared_inputs(const edgecvar::ParsedPicture& picture) {
    constexpr int SIDE = 24;
    const int rows = picture.motion->height, columns = picture.motion->width;
    const auto axes = [](int inputs_down, int inputs_across) {
        return edgecvar::Axes{Triangle(0.1 * inputs_down, 0.8 * inputs_down, SIDE, inputs_down).axis(),
                              Triangle(0.1 * inputs_across, 0.8 * inputs_across, SIDE, inputs_across).axis()};
    };
    std::vector<float> planes(6 * SIDE * SIDE);
    const auto target = [&](int plane) { return edgecvar::Target{planes.data() + plane * SIDE * SIDE, SIDE, 1}; };
    edgecvar::BlockFilter blocks(axes(rows, columns));
    blocks.picture(picture, {0.5f, 0.5f, 8.0f}, target(0), target(1));
    blocks.intra(picture, target(5));
    const edgecvar::Colour colour{
        {{{1, 0, 1.5f, 0, 0.1f, 0}, {1, -0.5f, -1, 0, 0.1f, 0}, {1, 2, 0, 0, 0.1f, 0}}}, -1e9f, 1e9f};
    edgecvar::ColourFilter(axes(4 * rows, 4 * columns), axes(2 * rows, 2 * columns))
        .residual(picture, colour, {target(2), target(3), target(4)});
    return planes;
}
