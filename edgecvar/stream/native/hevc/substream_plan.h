// A picture's slice segments cut into the substreams that they are made of (ITU-T H.265, 7.3.8.1 and 7.4.7.1).
#pragma once

#include <cstddef>
#include <vector>

#include "hevc/gathered_segments.h"

namespace edgecvar::hevc {

// Coding tree blocks from `first` on, at most to `limit`, both in tile scan, and the bytes of the payload that give them.
// Of a segment without entry points, or with too few of them, one part gives all that is left.
struct Part {
    size_t segment = 0;
    int first = 0, limit = 0;
    size_t begin = 0, end = 0;
    bool last = true;  // of its segment
};

// How the picture's coding tree blocks follow each other.
class TileScan {
public:
    // What it is made of outlives it.
    void start(const Sps& sps, const Pps& pps);

    int count() const { return int(pps_->ctb_tile_to_raster.size()); }
    int raster(int place) const { return pps_->ctb_tile_to_raster[size_t(place)]; }
    int x(int place) const { return raster(place) % width_; }
    int y(int place) const { return raster(place) / width_; }
    bool starts_tile(int place) const {
        return place == 0 || pps_->tile_id[size_t(place)] != pps_->tile_id[size_t(place) - 1];
    }
    // With entropy_coding_sync_enabled_flag a row of a tile starts with context variables of the row above.
    bool starts_row(int place) const { return pps_->entropy_coding_sync && column(place) == 0; }
    bool starts_substream(int place) const { return starts_tile(place) || starts_row(place); }
    // Coding tree blocks to the left in the tile.
    int column(int place) const { return x(place) - column_start_[size_t(x(place))]; }
    bool same_tile(int address, int other) const {
        const std::vector<int>& order = pps_->ctb_raster_to_tile;
        return pps_->tile_id[size_t(order[size_t(address)])] == pps_->tile_id[size_t(order[size_t(other)])];
    }

private:
    const Pps* pps_ = nullptr;
    int width_ = 1;
    std::vector<int> column_start_;  // of the tile that a column of coding tree blocks is in
};

// The parts of one segment, which are appended; `limit` of the last one is the picture's end. Damage where the segment
// does not follow the parts before it, or its entry points lead out of it.
void append_parts(const TileScan& scan, const GatheredPicture& picture, size_t segment, std::vector<Part>& parts);

}  // namespace edgecvar::hevc
