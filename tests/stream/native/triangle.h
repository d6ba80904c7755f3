// Axes of triangle filters, as edgecvar/clips/filters.py makes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "filter.h"

// Weights by output and tap, and the inputs they are of; for those that work with them in their own way.
struct Triangle {
    int outputs, taps, inputs;
    std::vector<int64_t> index;
    std::vector<float> weight;

    Triangle(double start, double length, int outputs, int inputs) : outputs(outputs), inputs(inputs) {
        const double step = length / outputs, reach = std::max(step, 1.0);
        taps = int(std::ceil(2 * reach)) + 1;
        for (int output = 0; output < outputs; ++output) {
            const double centre = start + (output + 0.5) * step - 0.5;
            const int64_t first = int64_t(std::ceil(centre - reach));
            double sum = 0;
            for (int tap = 0; tap < taps; ++tap) sum += at(double(first + tap) - centre, reach);
            for (int tap = 0; tap < taps; ++tap) {
                index.push_back(std::clamp<int64_t>(first + tap, 0, inputs - 1));
                weight.push_back(float(at(double(first + tap) - centre, reach) / sum));
            }
        }
    }

    edgecvar::Axis axis() const { return {index.data(), weight.data(), outputs, taps, inputs}; }

private:
    static double at(double distance, double reach) { return std::max(0.0, 1 - std::abs(distance) / reach); }
};
