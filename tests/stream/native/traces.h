// What is added up along a stream's references, kept as the Python side keeps it, without limits.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "accumulation.h"

struct Traces {
    std::vector<float> displacement;
    std::vector<int16_t> y, cb, cr;

    // The sums of the next picture, in decode order, are in the arrays after it. It is not an I picture.
    void add(const edgecvar::ParsedPicture& picture) {
        const int width = picture.sequence->coded_width, height = picture.sequence->coded_height;
        if (!accumulator_ || accumulator_->width() != width || accumulator_->height() != height) {
            traced_.clear();
            accumulator_ = std::make_unique<edgecvar::Accumulator>(width, height, true);
        }
        std::vector<edgecvar::TracedReference> references;
        for (const int offset : edgecvar::offsets_in_use(picture)) {
            const auto found = traced_.find(picture.tag->display + offset);
            const bool current = found != traced_.end();
            references.push_back({offset, current ? found->second : accumulator_->origin(), current});
        }
        const auto traced = accumulator_->follow(picture, references);
        traced_[picture.tag->display] = traced;
        const size_t samples = size_t(width) * size_t(height);
        displacement.assign(samples / 8, 0);
        y.assign(samples, 0);
        cb.assign(samples / 4, 0);
        cr.assign(samples / 4, 0);
        traced->displacement(displacement.data());
        traced->residual(y.data(), cb.data(), cr.data());
    }

private:
    std::unique_ptr<edgecvar::Accumulator> accumulator_;
    std::map<int32_t, std::shared_ptr<edgecvar::TracedPicture>> traced_;
};
