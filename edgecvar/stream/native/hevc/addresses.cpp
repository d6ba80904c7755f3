// Addresses of coding tree blocks in decoding order (ITU-T H.265, 6.5.1).
#include "hevc/picture_set.h"

namespace edgecvar::hevc {

namespace {

// The starts of tiles, and the end of the picture.
std::vector<int> with_end(const std::vector<int>& starts, int end) {
    std::vector<int> bounds = starts;
    bounds.push_back(end);
    return bounds;
}

}  // namespace

void set_addresses(const Sps& sps, Pps& pps) {
    const int width = sps.width_in_ctbs(), height = sps.height_in_ctbs();
    const std::vector<int> columns = with_end(pps.column_starts, width), rows = with_end(pps.row_starts, height);
    const size_t count = size_t(width) * size_t(height);
    pps.ctb_raster_to_tile.assign(count, 0);
    pps.ctb_tile_to_raster.assign(count, 0);
    pps.tile_id.assign(count, 0);
    int order = 0, tile = 0;
    for (size_t row = 0; row + 1 < rows.size(); ++row) {
        for (size_t column = 0; column + 1 < columns.size(); ++column, ++tile) {
            for (int y = rows[row]; y < rows[row + 1]; ++y) {
                for (int x = columns[column]; x < columns[column + 1]; ++x, ++order) {
                    const int address = y * width + x;
                    pps.ctb_raster_to_tile[size_t(address)] = order;
                    pps.ctb_tile_to_raster[size_t(order)] = address;
                    pps.tile_id[size_t(order)] = tile;
                }
            }
        }
    }
}

}  // namespace edgecvar::hevc
