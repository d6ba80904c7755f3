// The slice group of every macroblock (ITU-T H.264, 8.2.2).
#include <algorithm>

#include "h264/headers.h"

namespace edgecvar::h264 {

namespace {

struct Size {
    int width, height;
    int units() const { return width * height; }
};

void interleaved(const Pps& pps, std::vector<uint8_t>& map) {  // 8.2.2.1
    size_t i = 0;
    while (i < map.size()) {
        for (size_t group = 0; group < size_t(pps.num_slice_groups) && i < map.size(); ++group) {
            const size_t run = std::min(size_t(std::max(1u, pps.run_length[group])), map.size() - i);
            std::fill_n(map.begin() + std::ptrdiff_t(i), run, uint8_t(group));
            i += run;
        }
    }
}

void dispersed(const Pps& pps, Size size, std::vector<uint8_t>& map) {  // 8.2.2.2
    const int groups = pps.num_slice_groups;
    for (int i = 0; i < size.units(); ++i) {
        map[size_t(i)] = uint8_t((i % size.width + (i / size.width * groups) / 2) % groups);
    }
}

void foreground(const Pps& pps, Size size, std::vector<uint8_t>& map) {  // 8.2.2.3
    std::fill(map.begin(), map.end(), uint8_t(pps.num_slice_groups - 1));
    const uint32_t width = uint32_t(size.width), last = uint32_t(size.units() - 1);
    for (int group = pps.num_slice_groups - 2; group >= 0; --group) {
        const uint32_t first_unit = std::min(pps.top_left[size_t(group)], last);
        const uint32_t last_unit = std::min(pps.bottom_right[size_t(group)], last);
        for (uint32_t y = first_unit / width; y <= last_unit / width; ++y) {
            for (uint32_t x = first_unit % width; x <= last_unit % width; ++x) map[y * width + x] = uint8_t(group);
        }
    }
}

// 8.2.2.4: group 0 is a box that grows in a spiral; `direction` is slice_group_change_direction_flag.
void box_out(int direction, int box_units, Size size, std::vector<uint8_t>& map) {
    std::fill(map.begin(), map.end(), uint8_t(1));
    int x = (size.width - direction) / 2, y = (size.height - direction) / 2;
    int left = x, right = x, top = y, bottom = y;
    int x_step = direction - 1, y_step = direction;
    for (int taken = 0; taken < box_units;) {
        uint8_t& group = map[size_t(y * size.width + x)];
        taken += group;
        group = 0;
        if (x_step == -1 && x == left) {
            x = left = std::max(left - 1, 0);
            x_step = 0;
            y_step = 2 * direction - 1;
        } else if (x_step == 1 && x == right) {
            x = right = std::min(right + 1, size.width - 1);
            x_step = 0;
            y_step = 1 - 2 * direction;
        } else if (y_step == -1 && y == top) {
            y = top = std::max(top - 1, 0);
            x_step = 1 - 2 * direction;
            y_step = 0;
        } else if (y_step == 1 && y == bottom) {
            y = bottom = std::min(bottom + 1, size.height - 1);
            x_step = 2 * direction - 1;
            y_step = 0;
        } else {
            x += x_step;
            y += y_step;
        }
    }
}

void wipe(int direction, int upper_left, Size size, std::vector<uint8_t>& map) {  // 8.2.2.6
    int k = 0;
    for (int x = 0; x < size.width; ++x) {
        for (int y = 0; y < size.height; ++y, ++k) {
            map[size_t(y * size.width + x)] = uint8_t(k < upper_left ? direction : 1 - direction);
        }
    }
}

}  // namespace

std::vector<uint8_t> slice_group_map(const Sps& sps, const Pps& pps, const SliceHeader& header) {
    const Size size{sps.mb_width, sps.mb_height};
    std::vector<uint8_t> map(size_t(size.units()), 0);
    if (pps.num_slice_groups < 2) return map;
    const int direction = pps.slice_group_change_direction ? 1 : 0;
    const uint64_t grown = uint64_t(header.slice_group_change_cycle) * pps.slice_group_change_rate;
    const int group_0_units = int(std::min(grown, uint64_t(size.units())));            // mapUnitsInSliceGroup0
    const int upper_left = direction ? size.units() - group_0_units : group_0_units;  // sizeOfUpperLeftGroup
    switch (pps.slice_group_map_type) {
        case 0: interleaved(pps, map); break;
        case 1: dispersed(pps, size, map); break;
        case 2: foreground(pps, size, map); break;
        case 3: box_out(direction, group_0_units, size, map); break;
        case 4:  // 8.2.2.5
            for (int i = 0; i < size.units(); ++i) map[size_t(i)] = uint8_t(i < upper_left ? direction : 1 - direction);
            break;
        case 5: wipe(direction, upper_left, size, map); break;
        default:  // 8.2.2.7
            std::copy_n(pps.slice_group_id.begin(), std::min(map.size(), pps.slice_group_id.size()), map.begin());
    }
    return map;
}

}  // namespace edgecvar::h264
