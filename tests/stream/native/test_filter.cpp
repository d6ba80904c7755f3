// Filters against their sums written out, on samples of which most are zero.
#include <cmath>
#include <random>
#include <stdexcept>

#include "check.h"
#include "filter.h"
#include "triangle.h"

using edgecvar::Axes;
using edgecvar::Axis;
using edgecvar::Filter;

namespace {

std::mt19937 random_bits(1);

int drawn(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_bits); }

// The sum of weight times weight times sample over all taps of both axes.
double expected(const std::vector<int16_t>& samples, const Triangle& rows, const Triangle& columns, int row,
                int column) {
    double total = 0;
    for (int i = 0; i < rows.taps; ++i) {
        for (int j = 0; j < columns.taps; ++j) {
            const size_t down = size_t(row * rows.taps + i), across = size_t(column * columns.taps + j);
            total += double(rows.weight[down]) * double(columns.weight[across]) *
                     samples[size_t(rows.index[down] * columns.inputs + columns.index[across])];
        }
    }
    return total;
}

// A few runs of samples, each added at once, as sparse rows come.
std::vector<int16_t> add_runs(Filter& filter, int rows, int columns, int runs) {
    std::vector<int16_t> samples(size_t(rows) * size_t(columns));
    for (int run = 0; run < runs; ++run) {
        const int row = drawn(0, rows - 1), from = drawn(0, columns - 1), count = drawn(1, columns - from);
        std::vector<int16_t> some;
        for (int i = 0; i < count; ++i) {
            some.push_back(int16_t(drawn(-300, 300)));
            samples[size_t(row * columns + from + i)] = int16_t(samples[size_t(row * columns + from + i)] +
                                                                some.back());
        }
        filter.add(row, from, count, some.data());
    }
    return samples;
}

void compare(int inputs_down, int inputs_across, int outputs_down, int outputs_across) {
    const double top = drawn(0, 30) / 100.0 * inputs_down, left = drawn(0, 30) / 100.0 * inputs_across;
    const Triangle rows(top, inputs_down * 0.7, outputs_down, inputs_down);
    const Triangle columns(left, inputs_across * 0.7, outputs_across, inputs_across);
    const Axes axes{rows.axis(), columns.axis()};
    Filter filter(axes);
    std::vector<float> line(size_t(outputs_across) + 1, 7.0f);
    for (int runs : {0, 3, 40, 0}) {  // what was taken is forgotten
        const std::vector<int16_t> samples = add_runs(filter, inputs_down, inputs_across, runs);
        for (int row = 0; row < outputs_down; ++row) {
            const bool any = filter.take(row, line.data());
            CHECK(line[size_t(outputs_across)] == 7.0f);
            bool alike = true, zero = true;
            for (int column = 0; column < outputs_across; ++column) {
                const double value = expected(samples, rows, columns, row, column);
                alike &= std::abs(value - double(line[size_t(column)])) < 1e-3;
                zero &= line[size_t(column)] == 0.0f;
            }
            CHECK(alike);
            CHECK(any || zero);
        }
    }
}

template <class Call>
bool refused(Call call) {
    try {
        call();
    } catch (const std::invalid_argument&) {
        return true;
    }
    return false;
}

void check_refusals() {
    const float weight[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    const int64_t sound[4] = {0, 1, 1, 2}, beyond[4] = {0, 1, 1, 3}, before[4] = {-1, 1, 1, 2}, back[4] = {1, 2, 0, 1};
    const int64_t falling[4] = {1, 0, 1, 2};
    CHECK(!refused([&] { Axis(sound, weight, 2, 2, 3); }));
    for (const auto* index : {&beyond, &before, &back, &falling})
        CHECK(refused([&] { Axis(*index, weight, 2, 2, 3); }));
    CHECK(refused([&] { Axis(sound, weight, 0, 2, 3); }));
    CHECK(refused([&] { Axis(sound, weight, 2, 0, 3); }));
    CHECK(refused([&] { Axis(sound, weight, 2, 2, 0); }));
}

}  // namespace

int main() {
    compare(180, 320, 64, 64);  // smaller
    compare(45, 80, 64, 96);    // larger
    compare(16, 16, 16, 16);
    compare(1, 1, 8, 8);
    compare(3, 200, 33, 5);
    for (int i = 0; i < 20; ++i) compare(drawn(1, 90), drawn(1, 90), drawn(1, 40), drawn(1, 40));
    check_refusals();
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
