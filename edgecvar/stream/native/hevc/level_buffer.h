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
    void clear() { cut(0); }
    // Blocks that follow each other, and their levels.
    void append_to(Coefficients& coefficients, size_t first_block, size_t end_block) const {
        if (first_block == end_block) return;
        const uint32_t first = blocks_[first_block].first, end = blocks_[end_block - 1].end;
        const uint32_t base = uint32_t(coefficients.levels.size());
        coefficients.levels.insert(coefficients.levels.end(), levels_.begin() + first, levels_.begin() + end);
        size_t block = coefficients.blocks.size();
        coefficients.blocks.insert(coefficients.blocks.end(), blocks_.begin() + std::ptrdiff_t(first_block),
                                   blocks_.begin() + std::ptrdiff_t(end_block));
        for (; block < coefficients.blocks.size(); ++block) {
            coefficients.blocks[block].first += base - first;
            coefficients.blocks[block].end += base - first;
        }
    }

private:
    std::vector<CodedBlock> blocks_;
    std::vector<Level> levels_;
    size_t used_ = 0;
};

}  // namespace edgecvar::hevc
