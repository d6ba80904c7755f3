// Coefficients as parsed, and the residual they stand for (ITU-T H.264, 8.5).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "coded_residual.h"
#include "h264/syntax.h"
#include "motion_store.h"

namespace edgecvar::h264 {

// One non-zero transform coefficient level: level << 12 | block << 6 | position, position in zig-zag scan order
// (0..15, or 0..63 in an 8x8 block). Of an AC block (Intra_16x16, chroma) the first position is 1.
using Coefficient = int32_t;

// Numbers of blocks: luma 4x4 blocks 0..15 in the order of Figure 6-10 (an 8x8 block has the number of its first),
// then the DC of Intra_16x16 luma, of Cb, of Cr, and the AC of four Cb and four Cr blocks.
enum CoefficientBlock { BLOCK_LUMA_DC = 16, BLOCK_CB_DC = 17, BLOCK_CR_DC = 18, BLOCK_CB_AC = 19, BLOCK_CR_AC = 23 };

constexpr Coefficient coefficient(int level, int block, int position) {
    return Coefficient((uint32_t(level) << 12) | uint32_t(block << 6) | uint32_t(position));
}
constexpr int level_of(Coefficient c) { return c >> 12; }
constexpr int block_of(Coefficient c) { return (c >> 6) & 63; }
constexpr int position_of(Coefficient c) { return c & 63; }

// A macroblock with coefficients: levels[first .. end) are its own, all of a block together.
struct CodedMacroblock {
    uint32_t mb = 0;           // address in raster order
    uint32_t first = 0, end = 0;
    int16_t qp = 0;            // QPY, from -QpBdOffsetY to 51
    int16_t directions = -1;   // index into `directions`, for intra macroblocks with MB_BYPASS
};

// Prediction directions of a lossless intra macroblock: 0 none of both, 1 vertical, 2 horizontal (8.5.15); of the 16
// luma blocks (of an 8x8 block at its first number, of Intra_16x16 all the same), then of chroma.
using BypassDirections = std::array<uint8_t, 17>;

// Added to the first direction of Intra_16x16, which predicts across its blocks; needed where it has no DC levels.
constexpr uint8_t BYPASS_INTRA_16X16 = 4;

struct Coefficients {
    std::vector<CodedMacroblock> macroblocks;
    std::vector<Coefficient> levels;
    std::vector<BypassDirections> directions;
    std::vector<std::shared_ptr<const Pps>> slices;  // by the slice indices of the MotionStore
    std::shared_ptr<const Sps> sps;
};

// The residual of macroblocks of one picture, which lives as long. Values beyond int16, which only broken streams have,
// are clipped.
class Reconstructor {
public:
    Reconstructor(const Coefficients& coefficients, const MotionStore& motion);
    ~Reconstructor();

    // The planes begin at the macroblock, 16x16 and 8x8 samples, all zero on entry; cb and cr are untouched, and may be
    // null, for 4:0:0.
    void macroblock(const CodedMacroblock& mb, Plane y, Plane cb, Plane cr);

private:
    struct State;
    const Coefficients& coefficients_;
    const MotionStore& motion_;
    std::unique_ptr<State> state_;
};

// The residual of a picture whose motion lives as long.
class MacroblockResidual : public CodedResidual {
public:
    MacroblockResidual(Coefficients coefficients, const MotionStore& motion)
        : coefficients_(std::move(coefficients)), motion_(motion) {}

    void blocks(const std::function<void(const ResidualBlock&)>& visit) const override;
    void write(const std::array<Plane, 3>& planes) const override;

private:
    bool has_chroma_levels(const CodedMacroblock& mb) const;

    const Coefficients coefficients_;
    const MotionStore& motion_;
};

}  // namespace edgecvar::h264
