// Addresses of coding tree blocks and of transform blocks in decoding order (ITU-T H.265, 6.5.1, 6.5.2).
#include "hevc/picture_set.h"

namespace edgecvar::hevc {

namespace {

// The starts of tiles, and the end of the picture.
std::vector<int> with_end(const std::vector<int>& starts, int end) {
    std::vector<int> bounds = starts;
    bounds.push_back(end);
    return bounds;
}

void scan_tiles(const Sps& sps, Pps& pps) {
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

// The place of a block within its CTB: the bits of x and y in turns.
int interleaved(int x, int y, int bits) {
    int place = 0;
    for (int i = 0; i < bits; ++i) place |= (x >> i & 1) << (2 * i) | (y >> i & 1) << (2 * i + 1);
    return place;
}

void order_blocks(const Sps& sps, Pps& pps) {
    const int shift = sps.ctb_log2 - sps.min_tb_log2, side = 1 << shift;
    std::vector<int> places(size_t(side) * size_t(side));
    for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) places[size_t(y << shift | x)] = interleaved(x, y, shift);
    }
    const int width = sps.width_in_ctbs(), height = sps.height_in_ctbs();
    pps.min_tb_width = width << shift;
    pps.min_tb_order.resize(size_t(pps.min_tb_width) * size_t(height << shift));
    int* out = pps.min_tb_order.data();
    for (int y = 0; y < height << shift; ++y) {
        const int* const row = places.data() + ((y & (side - 1)) << shift);
        const int* const addresses = pps.ctb_raster_to_tile.data() + std::ptrdiff_t(y >> shift) * width;
        for (int ctb = 0; ctb < width; ++ctb) {
            for (int x = 0; x < side; ++x) *out++ = (addresses[ctb] << (2 * shift)) + row[x];
        }
    }
}

}  // namespace

void set_addresses(const Sps& sps, Pps& pps) {
    scan_tiles(sps, pps);
    order_blocks(sps, pps);
}

}  // namespace edgecvar::hevc
