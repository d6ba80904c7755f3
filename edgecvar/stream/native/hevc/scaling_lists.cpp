// Scaling lists of parameter sets (ITU-T H.265, 7.3.4, 7.4.5, Tables 7-5 and 7-6).
#include "hevc/scaling_lists.h"

#include "range.h"

namespace edgecvar::hevc {

namespace {

constexpr uint8_t FLAT = 16;

// Table 7-6, intra and inter, for every size but 4x4.
constexpr std::array<uint8_t, 64> DEFAULTS[2] = {
    {16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 16, 17, 16, 17, 18, 17, 18, 18, 17, 18, 21,
     19, 20, 21, 20, 19, 21, 24, 22, 22, 24, 24, 22, 22, 24, 25, 25, 27, 30, 27, 25, 25, 29,
     31, 35, 35, 31, 29, 36, 41, 44, 41, 36, 47, 54, 54, 47, 65, 70, 65, 88, 88, 115},
    {16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 20,
     20, 20, 20, 20, 20, 20, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 28,
     28, 28, 28, 28, 28, 33, 33, 33, 33, 33, 41, 41, 41, 41, 54, 54, 54, 71, 71, 91}};

void set_default(ScalingLists& lists, size_t size, size_t matrix) {
    if (size == 0) {
        lists.lists[size][matrix].fill(FLAT);  // Table 7-5
    } else {
        lists.lists[size][matrix] = DEFAULTS[matrix / 3];
    }
    if (size >= 2) lists.dc[size - 2][matrix] = FLAT;
}

void read_list(BitReader& reader, ScalingLists& lists, size_t size, size_t matrix) {
    int next = 8;
    if (size >= 2) {
        next = 8 + within(reader.se(), -7, 247, "scaling_list_dc_coef_minus8");
        lists.dc[size - 2][matrix] = uint8_t(next);
    }
    for (size_t i = 0; i < (size == 0 ? 16u : 64u); ++i) {
        next = (next + within(reader.se(), -128, 127, "scaling_list_delta_coef") + 256) % 256;
        lists.lists[size][matrix][i] = uint8_t(next);
    }
}

}  // namespace

ScalingLists default_lists() {
    ScalingLists lists;
    for (size_t size = 0; size < 4; ++size) {
        for (size_t matrix = 0; matrix < 6; ++matrix) set_default(lists, size, matrix);
    }
    return lists;
}

ScalingLists read_scaling_lists(BitReader& reader) {
    ScalingLists lists = default_lists();
    for (size_t size = 0; size < 4; ++size) {
        const size_t step = size == 3 ? 3 : 1;
        for (size_t matrix = 0; matrix < 6; matrix += step) {
            if (reader.flag()) {
                read_list(reader, lists, size, matrix);
                continue;
            }
            const size_t back = step *
                                at_most(reader.ue(), uint32_t(matrix / step), "scaling_list_pred_matrix_id_delta");
            if (back == 0) continue;  // the default list, which stands there
            lists.lists[size][matrix] = lists.lists[size][matrix - back];
            if (size >= 2) lists.dc[size - 2][matrix] = lists.dc[size - 2][matrix - back];
        }
    }
    return lists;
}

}  // namespace edgecvar::hevc
