// What slices of one picture share while they are parsed, and what is known of one slice (ITU-T H.265, 6.4 and 8.5.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

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

// Whether the block at (nb_x, nb_y) precedes one at (x, y) in the same coding tree block, or is it: the highest bit in
// which their places differ decides, that of y before that of x (6.5.2).
inline bool precedes_in_ctb(int nb_x, int nb_y, int x, int y) {
    const int differs_x = nb_x ^ x, differs_y = nb_y ^ y;
    const bool by_x = differs_y < differs_x && differs_y < (differs_x ^ differs_y);
    return by_x ? nb_x < x : nb_y <= y;
}

// One slice. `references` has what ref_idx means: its lists have num_ref_idx entries, none null (a Tag may be lost).
struct SliceState {
    PictureState& picture;
    const SliceHeader& header;           // of the segment that is parsed
    const Sps& sps;
    const Pps& pps;
    const SliceReferences& references;
    uint16_t index = 0;                  // of the slice in motion->slices

    // The collocated picture's motion; null where slice_temporal_mvp_enabled_flag is 0, and where that picture is intra,
    // lost or of another size: then no temporal candidate is available.
    const MotionStore* collocated = nullptr;
    const Tag* collocated_tag = nullptr;
    bool no_backward_prediction = false;  // DiffPicOrderCnt(aPic, currPic) <= 0 for all of both lists (8.5.3.2.9)

    // What has been used of the references: bit ref_idx by list; set by the parser of the slice.
    uint32_t used_references[2] = {0, 0};
    bool used_temporal = false;  // a block's vectors rest on the collocated picture

    // CtbAddrInRs of the coding tree block that covers (x, y), in luma samples.
    size_t address(int x, int y) const {
        return size_t(y >> sps.ctb_log2) * size_t(sps.width_in_ctbs()) + size_t(x >> sps.ctb_log2);
    }

    // Whether the block at (nb_x, nb_y) is available to one at (x, y), both in luma samples (6.4.1).
    bool available(int x, int y, int nb_x, int nb_y) const {
        if (nb_x < 0 || nb_y < 0 || nb_x >= sps.coded_width || nb_y >= sps.coded_height) return false;
        const int ctb = sps.ctb_log2;
        if (((x ^ nb_x) | (y ^ nb_y)) >> ctb == 0) return precedes_in_ctb(nb_x, nb_y, x, y);
        const std::vector<int>& order = pps.ctb_raster_to_tile;
        return order[address(nb_x, nb_y)] < order[address(x, y)] && in_reach(x, y, nb_x, nb_y);
    }

    // The same of a block to the left or above, or both, whose other coordinate is not beyond that of the block: it comes
    // before in whatever order.
    bool available_before(int x, int y, int nb_x, int nb_y) const {
        return nb_x >= 0 && nb_y >= 0 && in_reach(x, y, nb_x, nb_y);
    }

    // Whether two places are of one slice and one tile, the latter of which has been begun.
    bool in_reach(int x, int y, int nb_x, int nb_y) const {
        const int ctb = sps.ctb_log2;
        if (((x ^ nb_x) | (y ^ nb_y)) >> ctb == 0) return true;
        const size_t own = address(x, y), other = address(nb_x, nb_y);
        if (picture.slice_address[other] != header.slice_address) return false;
        if (!pps.tiles_enabled) return true;
        return pps.tile_id[size_t(pps.ctb_raster_to_tile[own])] == pps.tile_id[size_t(pps.ctb_raster_to_tile[other])];
    }
};

}  // namespace edgecvar::hevc
