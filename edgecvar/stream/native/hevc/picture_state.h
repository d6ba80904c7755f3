// What slices of one picture share while they are parsed, and what is known of one slice (ITU-T H.265, 6.4 and 8.5.3).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hevc/coefficients.h"
#include "hevc/syntax.h"
#include "motion_store.h"

namespace edgecvar::hevc {

constexpr int32_t NO_ADDRESS = -1;
constexpr uint8_t UNIT_DEPTH = 3, UNIT_SKIPPED = 4;

// Arrays are of the whole picture; substreams that are parsed side by side write to different parts of them.
struct PictureState {
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<const Pps> pps;
    MotionStore* motion = nullptr;      // ref_log2 0, flag_log2 1; MB_INTRA is the only flag
    int32_t poc = 0;

    // One a CTB, raster order.
    std::vector<int32_t> slice_address;  // SliceAddrRs of the slice that it is in; NO_ADDRESS before it is begun

    // One a min_cb_log2 block, raster order, `cb_width` a row.
    int cb_width = 0, cb_height = 0;
    std::vector<uint8_t> units;          // CtDepth, and UNIT_SKIPPED where cu_skip_flag is 1
    std::vector<int8_t> qp;              // QpY

    // One a 4x4 block, raster order, motion->width a row: IntraPredModeY, 1 (DC) where it is not intra or is PCM.
    std::vector<uint8_t> intra_mode;

    // Sets sizes by the SPS, and that nothing has been parsed; memory is used again.
    void start(std::shared_ptr<const Sps> of, std::shared_ptr<const Pps> by, MotionStore& store, int32_t order) {
        sps = std::move(of);
        pps = std::move(by);
        motion = &store;
        poc = order;
        cb_width = sps->coded_width >> sps->min_cb_log2;
        cb_height = sps->coded_height >> sps->min_cb_log2;
        const size_t blocks = size_t(cb_width) * size_t(cb_height);
        slice_address.assign(size_t(sps->width_in_ctbs()) * size_t(sps->height_in_ctbs()), NO_ADDRESS);
        units.assign(blocks, 0);
        qp.assign(blocks, 0);
        intra_mode.assign(size_t(store.width) * size_t(store.height), 1);
    }
};

// Where a block is within its coding tree block, in z-scan order (6.5.2): the bits of x and y in turns.
inline int z_order(int x, int y) {
    constexpr uint8_t SPREAD[16] = {0, 1, 4, 5, 16, 17, 20, 21, 64, 65, 68, 69, 80, 81, 84, 85};
    return SPREAD[x & 15] + 2 * SPREAD[y & 15];
}

// One slice. `references` has what ref_idx means: its lists have num_ref_idx entries, none null (a Tag may be lost).
struct SliceState {
    PictureState& picture;
    const SliceHeader& header;           // of its first segment
    const Sps& sps;
    const Pps& pps;
    const SliceReferences& references;
    uint16_t index = 0;                  // of the slice in motion->slices

    // The collocated picture's motion; null where slice_temporal_mvp_enabled_flag is 0, and where that picture is intra,
    // lost or of another size: then no temporal candidate is available.
    const MotionStore* collocated = nullptr;
    const Tag* collocated_tag = nullptr;
    bool no_backward_prediction = false; // DiffPicOrderCnt(aPic, currPic) <= 0 for all of both lists (8.5.3.2.9)

    // What has been used of the references: bit ref_idx by list; set by the parser of the slice.
    uint32_t used_references[2] = {0, 0};
    bool used_temporal = false;          // a block's vectors rest on the collocated picture

    // Whether the block at (nb_x, nb_y) is available to one at (x, y), both in luma samples (6.4.1).
    bool available(int x, int y, int nb_x, int nb_y) const {
        if (nb_x < 0 || nb_y < 0 || nb_x >= sps.coded_width || nb_y >= sps.coded_height) return false;
        const int ctb = sps.ctb_log2;
        if ((x >> ctb) == (nb_x >> ctb) && (y >> ctb) == (nb_y >> ctb)) {
            const int tb = sps.min_tb_log2;
            return z_order(nb_x >> tb, nb_y >> tb) <= z_order(x >> tb, y >> tb);
        }
        const size_t width = size_t(sps.width_in_ctbs());
        const size_t own = size_t(y >> ctb) * width + size_t(x >> ctb);
        const size_t other = size_t(nb_y >> ctb) * width + size_t(nb_x >> ctb);
        if (pps.ctb_raster_to_tile[other] > pps.ctb_raster_to_tile[own]) return false;
        if (picture.slice_address[other] != header.slice_address) return false;
        if (!pps.tiles_enabled) return true;
        return pps.tile_id[size_t(pps.ctb_raster_to_tile[own])] == pps.tile_id[size_t(pps.ctb_raster_to_tile[other])];
    }
};

}  // namespace edgecvar::hevc
