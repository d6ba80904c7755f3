// Room for the blocks and levels of a substream that grows, and serves picture after picture.
#pragma once

#include <cstddef>
#include <vector>

#include "hevc/coefficients.h"

namespace edgecvar::hevc {

class LevelBuffer {
public:
    static constexpr size_t BLOCK = 32 * 32;  // the most levels of a block

    // Where the levels of a block are written; there is room for BLOCK of them.
    Level* begin_block() {
        if (levels_.size() < used_ + BLOCK) levels_.resize(levels_.size() * 2 + BLOCK);
        return levels_.data() + used_;
    }
    // The block whose levels end at `end`; its first and end are set here.
    void end_block(CodedBlock block, const Level* end) {
        block.first = uint32_t(used_);
        used_ = size_t(end - levels_.data());
        block.end = uint32_t(used_);
        blocks_.push_back(block);
    }

    size_t blocks() const { return blocks_.size(); }
    // Forgets all blocks from this one on.
    void cut(size_t count) {
        if (count < blocks_.size()) used_ = blocks_[count].first;
        blocks_.resize(count);
    }
    void append_to(Coefficients& coefficients) const {
        const uint32_t base = uint32_t(coefficients.levels.size());
        coefficients.levels.insert(coefficients.levels.end(), levels_.begin(), levels_.begin() + ptrdiff_t(used_));
        const size_t first = coefficients.blocks.size();
        coefficients.blocks.insert(coefficients.blocks.end(), blocks_.begin(), blocks_.end());
        if (base == 0) return;
        for (size_t i = first; i < coefficients.blocks.size(); ++i) {
            coefficients.blocks[i].first += base;
            coefficients.blocks[i].end += base;
        }
    }

private:
    std::vector<CodedBlock> blocks_;
    std::vector<Level> levels_;
    size_t used_ = 0;
};

}  // namespace edgecvar::hevc
