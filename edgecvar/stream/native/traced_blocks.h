// How the blocks of a macroblock are predicted and what is coded in it, as accumulation sees it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "accumulation.h"

namespace edgecvar {

// Of one 4x4 block: of each list the reference among those given, -1 where it does not count, and the vector.
struct BlockPrediction {
    int8_t reference[2];
    MotionVector mv[2];

    int lists() const { return (reference[0] >= 0) + (reference[1] >= 0); }
    bool operator==(const BlockPrediction& other) const {
        return reference[0] == other.reference[0] && reference[1] == other.reference[1] && mv[0].x == other.mv[0].x &&
               mv[0].y == other.mv[0].y && mv[1].x == other.mv[1].x && mv[1].y == other.mv[1].y;
    }
};

using MacroblockPrediction = std::array<BlockPrediction, 16>;

// A picture, macroblock by macroblock.
class TracedBlocks {
public:
    explicit TracedBlocks(const std::vector<TracedReference>& references) : references_(references) {}
    virtual ~TracedBlocks() = default;

    // Returns whether all blocks are alike; then the first alone is set. Blocks beyond the border have no references.
    virtual bool predict(int mb_x, int mb_y, MacroblockPrediction& blocks) = 0;
    // Returns false where nothing is coded; else the residual is in `samples` (see Sums), all zero on entry.
    virtual bool residual(int mb_x, int mb_y, int16_t* samples) = 0;

protected:
    static constexpr int8_t UNUSED = -1, MISSING = -2;

    // Which reference a display offset stands for, UNUSED for 0, MISSING where there is none.
    int8_t reference_at(int offset) const;
    // What a block's lists come to; std::invalid_argument where a reference is missing.
    BlockPrediction chosen(int8_t zero, int8_t one, MotionVector mv_zero, MotionVector mv_one) const;

private:
    const std::vector<TracedReference>& references_;
};

std::unique_ptr<TracedBlocks> traced_blocks(const ParsedPicture& picture,
                                            const std::vector<TracedReference>& references);
std::unique_ptr<TracedBlocks> traced_blocks(const PictureArrays& picture, int width, int height,
                                            const std::vector<TracedReference>& references);

}  // namespace edgecvar
