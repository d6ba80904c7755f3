// Along columns samples are added in whole rows, which processors do many at a time; along rows once an output row.
#include "filter.h"

#include <algorithm>
#include <stdexcept>

namespace edgecvar {

Axis::Axis(const int64_t* index, const float* weight, int outputs, int taps, int inputs) : inputs_(inputs) {
    if (outputs < 1 || taps < 1 || inputs < 1) throw std::invalid_argument("an axis without inputs or outputs");
    for (int output = 0; output < outputs; ++output) {
        const int64_t* at = index + ptrdiff_t(output) * taps;
        if (!std::is_sorted(at, at + taps) || at[0] < 0 || at[taps - 1] >= inputs)
            throw std::invalid_argument("taps outside the inputs");
        if (output && at[0] < at[-taps]) throw std::invalid_argument("taps that go back");
        taps_ = std::max(taps_, int(at[taps - 1] - at[0]) + 1);
    }
    weights_.resize(size_t(outputs) * size_t(taps_));
    std::vector<std::vector<Share>> given(static_cast<size_t>(inputs));
    for (int output = 0; output < outputs; ++output) {
        const int64_t* at = index + ptrdiff_t(output) * taps;
        const int first = int(std::min(at[0], int64_t(inputs - taps_)));
        first_.push_back(first);
        float* own = weights_.data() + size_t(output) * size_t(taps_);
        for (int tap = 0; tap < taps; ++tap) own[at[tap] - first] += weight[ptrdiff_t(output) * taps + tap];
        for (int tap = 0; tap < taps_; ++tap)
            if (own[tap] != 0) given[size_t(first + tap)].push_back({output, own[tap]});
    }
    begin_ = first_.front();
    end_ = first_.back() + taps_;
    share_at_.push_back(0);
    for (const std::vector<Share>& shares : given) {
        shares_.insert(shares_.end(), shares.begin(), shares.end());
        share_at_.push_back(shares_.size());
    }
}

int Axis::first_output(int from) const {
    const auto before = [this, from](int first) { return first + taps_ <= from; };
    return int(std::partition_point(first_.begin(), first_.end(), before) - first_.begin());
}

int Axis::last_output(int to) const {
    const auto before = [to](int first) { return first < to; };
    return int(std::partition_point(first_.begin(), first_.end(), before) - first_.begin());
}

void Axis::sum(const float* inputs, int from, int to, float* out) const {
    constexpr int SIDE_BY_SIDE = 4;  // sums that need not wait for one another
    const float* weight = weights_.data() + size_t(from) * size_t(taps_);
    int output = from;
    for (; output + SIDE_BY_SIDE <= to; output += SIDE_BY_SIDE, weight += SIDE_BY_SIDE * taps_) {
        float totals[SIDE_BY_SIDE] = {};
        const int* first = first_.data() + output;
        for (int tap = 0; tap < taps_; ++tap)
            for (int i = 0; i < SIDE_BY_SIDE; ++i) totals[i] += weight[i * taps_ + tap] * inputs[first[i] + tap];
        std::copy_n(totals, SIDE_BY_SIDE, out + output);
    }
    for (; output < to; ++output, weight += taps_) {
        float total = 0;
        for (int tap = 0; tap < taps_; ++tap) total += weight[tap] * inputs[first_[size_t(output)] + tap];
        out[output] = total;
    }
}

Filter::Filter(const Axes& axes)
    : axes_(&axes), stride_(size_t(axes.columns.inputs())), groups_((stride_ + GROUP - 1) / GROUP),
      sums_(stride_ * size_t(axes.rows.outputs())), touched_(groups_ * size_t(axes.rows.outputs())),
      any_(size_t(axes.rows.outputs())) {}

template <class Sample>
void Filter::add_samples(int row, int column, int count, const Sample* samples) {
    const int from = std::max(column, axes_->columns.begin()), to = std::min(column + count, axes_->columns.end());
    if (from >= to) return;
    samples += from - column;
    for (const Axis::Share& share : axes_->rows.shares(row)) {
        float* sums = sums_.data() + size_t(share.output) * stride_ + from;
        for (int i = 0; i < to - from; ++i) sums[i] += share.weight * float(samples[i]);
        uint8_t* touched = touched_.data() + size_t(share.output) * groups_;
        std::fill(touched + from / GROUP, touched + (to - 1) / GROUP + 1, uint8_t(1));
        any_[size_t(share.output)] = 1;
    }
}

void Filter::add(int row, int column, int count, const int16_t* samples) { add_samples(row, column, count, samples); }
void Filter::add(int row, int column, int count, const float* samples) { add_samples(row, column, count, samples); }

template <class Visit>
void Filter::for_each_run(int row, Visit visit) {
    const uint8_t *const begin = touched_.data() + size_t(row) * groups_, *const end = begin + groups_;
    for (const uint8_t* from = begin; (from = std::find(from, end, uint8_t(1))) != end;) {
        const uint8_t* const to = std::find(from, end, uint8_t(0));
        visit(int(from - begin) * GROUP, std::min(int(to - begin) * GROUP, int(stride_)));
        from = to;
    }
}

bool Filter::take(int row, float* out) {
    const Axis& columns = axes_->columns;
    std::fill_n(out, columns.outputs(), 0.0f);
    if (!any_[size_t(row)]) return false;
    float* const sums = sums_.data() + size_t(row) * stride_;
    int done = 0;
    for_each_run(row, [&](int from, int to) {
        const int last = columns.last_output(to);
        columns.sum(sums, std::max(done, columns.first_output(from)), last, out);
        done = std::max(done, last);
    });
    for_each_run(row, [&](int from, int to) { std::fill(sums + from, sums + to, 0.0f); });
    std::fill_n(touched_.data() + size_t(row) * groups_, groups_, uint8_t(0));
    any_[size_t(row)] = 0;
    return true;
}

}  // namespace edgecvar
