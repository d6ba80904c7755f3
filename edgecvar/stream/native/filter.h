// A separable filter onto another grid, which takes what is not zero and leaves the rest alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgecvar {

// One axis: every output is a weighted sum of inputs side by side.
class Axis {
public:
    // What an input gives to an output.
    struct Share {
        int output;
        float weight;
    };
    struct Shares {
        const Share *from, *to;
        const Share* begin() const { return from; }
        const Share* end() const { return to; }
    };

    // `index` and `weight` are outputs x taps: output o is the sum of weight times the inputs of those indices, which
    // are non-decreasing and may repeat. std::invalid_argument where they are not, or lead outside.
    Axis(const int64_t* index, const float* weight, int outputs, int taps, int inputs);

    int inputs() const { return inputs_; }
    int outputs() const { return int(first_.size()); }
    // Inputs from `begin` to before `end` are used at all.
    int begin() const { return begin_; }
    int end() const { return end_; }
    Shares shares(int input) const {
        return {shares_.data() + share_at_[size_t(input)], shares_.data() + share_at_[size_t(input) + 1]};
    }
    // An output's inputs, side by side from `first` on.
    struct Taps {
        int first, count;
        const float* weights;
    };
    Taps taps(int output) const {
        return {first_[size_t(output)], taps_, weights_.data() + size_t(output) * size_t(taps_)};
    }
    // Outputs from the first to before the second have an input from `from` to before `to`.
    int first_output(int from) const;
    int last_output(int to) const;
    // Outputs from `from` to before `to`, each the same whatever the others.
    void sum(const float* inputs, int from, int to, float* out) const;

private:
    int inputs_, taps_ = 1, begin_ = 0, end_ = 0;
    std::vector<int> first_;         // input of each output
    std::vector<float> weights_;     // of each output's `taps_` inputs
    std::vector<size_t> share_at_;   // of each input, and the end
    std::vector<Share> shares_;
};

struct Axes {
    Axis rows, columns;
};

// Sums up samples along columns as they come, and along rows when an output row is taken.
class Filter {
public:
    explicit Filter(const Axes& axes);

    const Axes& axes() const { return *axes_; }
    // Adds `count` samples of input row `row`, from input column `column` on.
    void add(int row, int column, int count, const int16_t* samples);
    void add(int row, int column, int count, const float* samples);
    // Output row `row` of all that was added, which is forgotten; `out` has room for all output columns. False where
    // nothing was: it is all zero then.
    bool take(int row, float* out);

private:
    static constexpr int GROUP = 16;  // columns that are marked together
    template <class Sample>
    void add_samples(int row, int column, int count, const Sample* samples);
    template <class Visit>
    void for_each_run(int row, Visit visit);

    const Axes* axes_;
    size_t stride_, groups_;
    std::vector<float> sums_;       // output rows x input columns
    std::vector<uint8_t> touched_;  // output rows x groups of columns
    std::vector<uint8_t> any_;      // output rows
};

// Where a plane of an input goes: steps are in floats, and negative where the picture is turned or mirrored.
struct Target {
    float* at;
    ptrdiff_t row_step, column_step;

    void store(int row, const float* line, int count) const {
        float* out = at + row * row_step;
        if (column_step == 1) {
            std::copy_n(line, count, out);
        } else {
            for (int i = 0; i < count; ++i) out[i * column_step] = line[i];
        }
    }
};

}  // namespace edgecvar
