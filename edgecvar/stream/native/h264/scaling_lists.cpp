// Scaling lists of parameter sets and what they fall back to (ITU-T H.264, 7.3.2.1.1.1 and Table 7-2).
#include "h264/scaling_lists.h"

#include <algorithm>

#include "h264/scan_tables.h"
#include "range.h"

namespace edgecvar::h264 {

namespace {

// scaling_list(), 7.3.2.1.1.1; false where the default list is asked for.
template <size_t SIZE>
bool read_scaling_list(BitReader& reader, std::array<uint8_t, SIZE>& list) {
    int last = 8, next = 8;
    for (size_t j = 0; j < SIZE; ++j) {
        if (next != 0) {
            const int delta = within(reader.se(), -128, 127, "delta_scale");
            next = (last + delta + 256) % 256;
            if (j == 0 && next == 0) return false;
        }
        if (next != 0) last = next;
        list[j] = uint8_t(last);
    }
    return true;
}

}  // namespace

ScalingLists flat_lists() {
    ScalingLists lists;
    for (auto& list : lists.lists4x4) list.fill(16);
    for (auto& list : lists.lists8x8) list.fill(16);
    return lists;
}

ScalingLists default_lists() {
    ScalingLists lists;
    for (size_t i = 0; i < 6; ++i) std::copy_n(DEFAULT_4X4[i / 3], 16, lists.lists4x4[i].begin());
    for (size_t i = 0; i < 2; ++i) std::copy_n(DEFAULT_8X8[i], 64, lists.lists8x8[i].begin());
    return lists;
}

ScalingLists read_scaling_lists(BitReader& reader, const ScalingLists& base, bool with_8x8) {
    ScalingLists lists = base;
    for (size_t i = 0; i < 6; ++i) {
        if (!reader.flag()) {
            if (i % 3 != 0) lists.lists4x4[i] = lists.lists4x4[i - 1];
        } else if (!read_scaling_list(reader, lists.lists4x4[i])) {
            std::copy_n(DEFAULT_4X4[i / 3], 16, lists.lists4x4[i].begin());
        }
    }
    for (size_t i = 0; with_8x8 && i < 2; ++i) {
        if (!reader.flag() || read_scaling_list(reader, lists.lists8x8[i])) continue;
        std::copy_n(DEFAULT_8X8[i], 64, lists.lists8x8[i].begin());
    }
    return lists;
}

}  // namespace edgecvar::h264
