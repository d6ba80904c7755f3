// From coefficient levels to the residual of a picture: scaling, and where each block goes (ITU-T H.264, 8.5).
#include "h264/residual.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "h264/scan_tables.h"
#include "h264/transform.h"

namespace edgecvar::h264 {
namespace {

constexpr int QPS = 64;  // qP from 0 to 51 + 6 * 2, of 10 bit
constexpr int BLOCKS = 27;

// Where the coefficient of a scan position goes in a block that is stored column by column.
struct Targets {
    uint8_t of_4x4[64], of_8x8[64];  // of_4x4 repeats, so that no position leads out of a block

    Targets() {
        for (int k = 0; k < 64; ++k) {
            of_4x4[k] = uint8_t((ZIGZAG_4X4[k & 15] & 3) << 2 | ZIGZAG_4X4[k & 15] >> 2);
            of_8x8[k] = uint8_t((ZIGZAG_8X8[k] & 7) << 3 | ZIGZAG_8X8[k] >> 3);
        }
    }
};

// LevelScale4x4 and LevelScale8x8 (8.5.9), each << (qP / 6), by scan position; made when first asked for.
class LevelScales {
public:
    void use(const ScalingLists& lists) {
        if (lists_ == &lists) return;
        lists_ = &lists;
        std::memset(made_4x4_, 0, sizeof made_4x4_);
        std::memset(made_8x8_, 0, sizeof made_8x8_);
    }

    const int32_t* scale_4x4(int list, int qp) {
        int32_t* scale = scales_4x4_[list][qp];
        if (!made_4x4_[list][qp]) {
            for (int k = 0; k < 16; ++k) {
                const int x = ZIGZAG_4X4[k] & 3, y = ZIGZAG_4X4[k] >> 2;
                const int norm = NORM_ADJUST_4X4[qp % 6][(x & 1) != (y & 1) ? 2 : x & 1];
                scale[k] = lists_->lists4x4[list][k] * norm << (qp / 6);
            }
            made_4x4_[list][qp] = true;
        }
        return scale;
    }

    const int32_t* scale_8x8(int list, int qp) {
        int32_t* scale = scales_8x8_[list][qp];
        if (!made_8x8_[list][qp]) {
            for (int k = 0; k < 64; ++k) {
                const int norm = NORM_ADJUST_8X8[qp % 6][norm_class_8x8(ZIGZAG_8X8[k] & 7, ZIGZAG_8X8[k] >> 3)];
                scale[k] = lists_->lists8x8[list][k] * norm << (qp / 6);
            }
            made_8x8_[list][qp] = true;
        }
        return scale;
    }

private:
    // Which column of v_mn (8-318) a position takes.
    static int norm_class_8x8(int x, int y) {
        if (x % 4 == 0 && y % 4 == 0) return 0;
        if (x % 2 == 1 && y % 2 == 1) return 1;
        if (x % 4 == 2 && y % 4 == 2) return 2;
        if ((x % 4 == 0 && y % 2 == 1) || (x % 2 == 1 && y % 4 == 0)) return 3;
        if ((x % 4 == 0 && y % 4 == 2) || (x % 4 == 2 && y % 4 == 0)) return 4;
        return 5;
    }

    const ScalingLists* lists_ = nullptr;
    bool made_4x4_[6][QPS] = {}, made_8x8_[2][QPS] = {};
    int32_t scales_4x4_[6][QPS][16], scales_8x8_[2][QPS][64];
};

// What turns the levels of one macroblock into scaled coefficients.
struct Scaling {
    const int32_t* luma = nullptr;  // of 4x4 or 8x8 blocks; null where levels are the residual (MB_BYPASS)
    const int32_t* chroma[2] = {nullptr, nullptr};
};

// The scaled coefficients of one macroblock; all zero between macroblocks.
struct Blocks {
    alignas(32) int32_t d[BLOCKS * 16] = {};
    uint32_t present = 0;  // blocks with coefficients
    uint32_t beyond = 0;   // blocks with other coefficients than the first

    int32_t* of(int block) { return d + 16 * block; }
    bool has(int block) const { return present >> block & 1; }
    bool only_dc(int block) const { return !(beyond >> block & 1); }
};

// Reads levels of one block from `c` on, and returns the first coefficient that is not its own.
template <typename Scaled>
const Coefficient* read_block(const Coefficient* c, const Coefficient* end, const uint8_t* targets, int block,
                              Blocks& blocks, Scaled scaled) {
    int32_t* d = blocks.of(block);
    const int own = block_of(*c);
    uint32_t positions = 0;
    do {
        const int position = position_of(*c);
        d[targets[position]] = scaled(level_of(*c), position);
        positions |= uint32_t(position);
    } while (++c != end && block_of(*c) == own);
    blocks.present |= 1u << block;
    blocks.beyond |= uint32_t(positions != 0) << block;
    return c;
}

void read_levels(const Coefficient* c, const Coefficient* end, bool transform_8x8, const Scaling& scaling,
                 Blocks& blocks) {
    static const Targets TARGETS;
    static const uint8_t RASTER_2X2[64] = {0, 1, 2, 3};  // further positions, which there are none of, go to 0
    const auto as_is = [](int level, int) { return int32_t(level); };
    while (c != end) {
        const int block = std::min(block_of(*c), BLOCKS - 1);
        const bool luma_8x8 = transform_8x8 && block < BLOCK_LUMA_DC;
        const uint8_t* targets = luma_8x8 ? TARGETS.of_8x8 : TARGETS.of_4x4;
        if (block == BLOCK_CB_DC || block == BLOCK_CR_DC) {
            c = read_block(c, end, RASTER_2X2, block, blocks, as_is);
        } else if (block == BLOCK_LUMA_DC || !scaling.luma) {
            c = read_block(c, end, targets, luma_8x8 ? block & 12 : block, blocks, as_is);
        } else if (luma_8x8) {
            c = read_block(c, end, targets, block & 12, blocks, [scale = scaling.luma](int level, int position) {
                return clip_scaled((int64_t(level) * scale[position] + 32) >> 6);
            });
        } else {
            const int32_t* scale = block < BLOCK_LUMA_DC ? scaling.luma : scaling.chroma[block >= BLOCK_CR_AC];
            c = read_block(c, end, targets, block, blocks, [scale](int level, int position) {
                return clip_scaled((int64_t(level) * scale[position & 15] + 8) >> 4);
            });
        }
    }
}

// Puts a DC coefficient where it belongs in its block.
void place_dc(int32_t dc, int block, Blocks& blocks) {
    blocks.of(block)[0] = dc;
    blocks.present |= uint32_t(dc != 0) << block;
}

// Intra_16x16 luma DC (8.5.10), and chroma DC (8.5.11), into the blocks that they are the DC of.
void spread_dc(const Scaling& scaling, Blocks& blocks) {
    if (blocks.has(BLOCK_LUMA_DC)) {
        int32_t* dc = blocks.of(BLOCK_LUMA_DC);
        if (scaling.luma) luma_dc_4x4(dc, scaling.luma[0]);
        for (int block = 0; block < 16; ++block) place_dc(dc[BLOCK_X[block] * 4 + BLOCK_Y[block]], block, blocks);
        std::memset(dc, 0, 16 * sizeof *dc);
    }
    for (int component = 0; component < 2; ++component) {
        if (!blocks.has(BLOCK_CB_DC + component)) continue;
        int32_t* dc = blocks.of(BLOCK_CB_DC + component);
        if (scaling.luma) chroma_dc_2x2(dc, scaling.chroma[component][0]);
        for (int k = 0; k < 4; ++k) place_dc(dc[k], BLOCK_CB_AC + 4 * component + k, blocks);
        std::memset(dc, 0, 4 * sizeof *dc);
    }
}

void transform_4x4(int block, Blocks& blocks, int16_t* out, ptrdiff_t stride) {
    if (!blocks.has(block)) return;
    int32_t* d = blocks.of(block);
    if (blocks.only_dc(block)) {
        inverse_dc_4x4(d[0], out, stride);
        d[0] = 0;
    } else {
        inverse_4x4(d, out, stride);
        std::memset(d, 0, 16 * sizeof *d);
    }
}

void transform_8x8(int block, Blocks& blocks, int16_t* out, ptrdiff_t stride) {
    if (!blocks.has(block)) return;
    int32_t* d = blocks.of(block);
    if (blocks.only_dc(block)) {
        inverse_dc_8x8(d[0], out, stride);
        d[0] = 0;
    } else {
        inverse_8x8(d, out, stride);
        std::memset(d, 0, 64 * sizeof *d);
    }
}

// `luma` and `chroma` begin at the macroblock.
void transform_macroblock(bool dct_8x8, Blocks& blocks, Plane luma, const Plane (&chroma)[2]) {
    const auto transform = dct_8x8 ? transform_8x8 : transform_4x4;
    for (int block = 0; block < 16; block += dct_8x8 ? 4 : 1)
        transform(block, blocks, luma.samples + 4 * (BLOCK_Y[block] * luma.stride + BLOCK_X[block]), luma.stride);
    if (!(blocks.present >> BLOCK_CB_AC)) return;
    for (int k = 0; k < 8; ++k) {
        const Plane& plane = chroma[k >> 2];
        if (plane.samples)
            transform_4x4(BLOCK_CB_AC + k, blocks, plane.samples + 4 * ((k >> 1 & 1) * plane.stride + (k & 1)),
                          plane.stride);
    }
}

// The residual of a square of a lossless macroblock, from what is in raster order in `r`.
void store_lossless(int32_t* r, int size, ptrdiff_t stride, int direction, int16_t* out, ptrdiff_t out_stride) {
    if (direction == 1) accumulate_down(r, size, stride);
    if (direction == 2) accumulate_right(r, size, stride);
    for (int y = 0; y < size; ++y)
        for (int x = 0; x < size; ++x) out[y * out_stride + x] = clip_int16(r[y * stride + x]);
}

// TransformBypassModeFlag (8.5.1 to 8.5.4 and 8.5.15): levels are the residual, of each sample or of its change.
void bypass_macroblock(bool dct_8x8, const BypassDirections* directions, Blocks& blocks, Plane luma,
                       const Plane (&chroma)[2]) {
    const int size = dct_8x8 ? 8 : 4;
    int32_t r[16 * 16];
    for (int block = 0; block < 16; block += dct_8x8 ? 4 : 1)
        for (int x = 0; x < size; ++x)
            for (int y = 0; y < size; ++y)
                r[16 * (4 * BLOCK_Y[block] + y) + 4 * BLOCK_X[block] + x] = blocks.of(block)[size * x + y];
    const bool whole = directions && (blocks.has(BLOCK_LUMA_DC) || (*directions)[0] & BYPASS_INTRA_16X16);
    if (whole) {
        store_lossless(r, 16, 16, (*directions)[0] & 3, luma.samples, luma.stride);
    } else {
        for (int block = 0; block < 16; block += dct_8x8 ? 4 : 1) {
            const int x = 4 * BLOCK_X[block], y = 4 * BLOCK_Y[block];
            store_lossless(r + 16 * y + x, size, 16, directions ? (*directions)[block] & 3 : 0,
                           luma.samples + y * luma.stride + x, luma.stride);
        }
    }
    for (int component = 0; component < 2; ++component) {
        if (!chroma[component].samples) continue;
        for (int k = 0; k < 64; ++k) {
            const int x = k & 7, y = k >> 3;
            r[k] = blocks.of(BLOCK_CB_AC + 4 * component + (y >> 2) * 2 + (x >> 2))[(x & 3) * 4 + (y & 3)];
        }
        store_lossless(r, 8, 8, directions ? (*directions)[16] & 3 : 0, chroma[component].samples,
                       chroma[component].stride);
    }
    std::memset(blocks.d, 0, sizeof blocks.d);
}

// QP'Y and QP'C (8.5.8) and the lists of the prediction and the component.
Scaling scaling_of(int qp, uint8_t flags, const Sps& sps, const Pps& pps, LevelScales& scales) {
    const bool intra = flags & MB_INTRA;
    const int luma_qp = std::clamp(qp + 6 * (sps.bit_depth_luma - 8), 0, QPS - 1);
    scales.use(pps.scaling);
    Scaling scaling;
    scaling.luma = flags & MB_8X8DCT ? scales.scale_8x8(intra ? 0 : 1, luma_qp)
                                     : scales.scale_4x4(intra ? 0 : 3, luma_qp);
    const int offset = 6 * (sps.bit_depth_chroma - 8);
    for (int component = 0; component < 2; ++component) {
        const int index = std::clamp(qp + pps.chroma_qp_offset[component], -offset, 51);
        const int chroma_qp = std::clamp((index < 0 ? index : CHROMA_QP[index]) + offset, 0, QPS - 1);
        scaling.chroma[component] = scales.scale_4x4((intra ? 1 : 4) + component, chroma_qp);
    }
    return scaling;
}

}  // namespace

struct Reconstructor::State {
    LevelScales scales;
    Blocks blocks;
};

Reconstructor::Reconstructor(const Coefficients& coefficients, const MotionStore& motion)
    : coefficients_(coefficients), motion_(motion), state_(new State) {}
Reconstructor::~Reconstructor() = default;

void Reconstructor::macroblock(const CodedMacroblock& mb, Plane y, Plane cb, Plane cr) {
    const uint8_t flags = motion_.flags[mb.mb];
    const bool dct_8x8 = flags & MB_8X8DCT, bypass = flags & MB_BYPASS;
    const Sps& sps = *coefficients_.sps;
    const bool has_chroma = sps.chroma_format_idc != 0 && cb.samples && cr.samples;
    const Plane chroma[2] = {{has_chroma ? cb.samples : nullptr, cb.stride},
                             {has_chroma ? cr.samples : nullptr, cr.stride}};
    Scaling scaling;
    if (!bypass) scaling = scaling_of(mb.qp, flags, sps, *coefficients_.slices[motion_.slice[mb.mb]], state_->scales);
    Blocks& blocks = state_->blocks;
    const Coefficient* levels = coefficients_.levels.data();
    read_levels(levels + mb.first, levels + mb.end, dct_8x8, scaling, blocks);
    spread_dc(scaling, blocks);
    if (bypass) {
        const BypassDirections* directions = mb.directions < 0 ? nullptr : &coefficients_.directions[mb.directions];
        bypass_macroblock(dct_8x8, directions, blocks, y, chroma);
    } else {
        transform_macroblock(dct_8x8, blocks, y, chroma);
    }
    blocks.present = blocks.beyond = 0;
}

bool MacroblockResidual::has_chroma_levels(const CodedMacroblock& mb) const {
    const Coefficient* const levels = coefficients_.levels.data();
    return std::any_of(levels + mb.first, levels + mb.end, [](Coefficient c) { return block_of(c) > BLOCK_LUMA_DC; });
}

void MacroblockResidual::blocks(const std::function<void(const ResidualBlock&)>& visit) const {
    Reconstructor reconstructor(coefficients_, motion_);
    const int mb_width = motion_.mb_width;
    const bool has_chroma = coefficients_.sps->chroma_format_idc != 0;
    alignas(32) int16_t y[16 * 16] = {}, cb[8 * 8] = {}, cr[8 * 8] = {};
    for (const CodedMacroblock& mb : coefficients_.macroblocks) {
        const int column = int(mb.mb) % mb_width, row = int(mb.mb) / mb_width;
        reconstructor.macroblock(mb, {y, 16}, {cb, 8}, {cr, 8});
        visit({0, 16 * column, 16 * row, 16, {y, 16}});
        std::memset(y, 0, sizeof y);
        if (!has_chroma || !has_chroma_levels(mb)) continue;
        visit({1, 8 * column, 8 * row, 8, {cb, 8}});
        visit({2, 8 * column, 8 * row, 8, {cr, 8}});
        std::memset(cb, 0, sizeof cb);
        std::memset(cr, 0, sizeof cr);
    }
}

// Straight to where it goes.
void MacroblockResidual::write(const std::array<Plane, 3>& planes) const {
    Reconstructor reconstructor(coefficients_, motion_);
    const bool has_chroma = coefficients_.sps->chroma_format_idc != 0;
    for (const CodedMacroblock& mb : coefficients_.macroblocks) {
        const ptrdiff_t column = mb.mb % uint32_t(motion_.mb_width), row = mb.mb / uint32_t(motion_.mb_width);
        const auto corner = [&](const Plane& plane, ptrdiff_t side) {
            return Plane{plane.samples + side * (row * plane.stride + column), plane.stride};
        };
        const Plane none{nullptr, 0};
        reconstructor.macroblock(mb, corner(planes[0], 16), has_chroma ? corner(planes[1], 8) : none,
                                 has_chroma ? corner(planes[2], 8) : none);
    }
}

}  // namespace edgecvar::h264
