// The initial values of the context variables (ITU-T H.265, 9.3.2.2; Tables 9-5 to 9-37).
#include "hevc/contexts.h"

#include <algorithm>

namespace edgecvar::hevc {

namespace {

constexpr int UNUSED = 154;  // where slices of an initType lack the element

// clang-format off: a row is a syntax element, in the order of ContextOffset
#define LAST_PREFIX_0 110, 110, 124, 125, 140, 153, 125, 127, 140, 109, 111, 143, 127, 111, 79, 108, 123, 63
#define LAST_PREFIX_1 125, 110, 94, 110, 95, 79, 125, 111, 110, 78, 110, 111, 111, 95, 94, 108, 123, 108
#define LAST_PREFIX_2 125, 110, 124, 110, 95, 94, 125, 111, 111, 79, 125, 126, 111, 111, 79, 108, 123, 93

constexpr uint8_t INIT_VALUES[3][CONTEXTS] = {
    {
        153,
        200,
        139, 141, 157,
        154,
        UNUSED, UNUSED, UNUSED,
        UNUSED,
        184, UNUSED, UNUSED, UNUSED,
        184,
        63,
        UNUSED,
        UNUSED,
        UNUSED,
        UNUSED, UNUSED, UNUSED, UNUSED, UNUSED,
        UNUSED, UNUSED,
        UNUSED,
        153, 138, 138,
        111, 141,
        94, 138, 182, 154,
        UNUSED,
        UNUSED,
        154, 154,
        139, 139,
        LAST_PREFIX_0,
        LAST_PREFIX_0,
        91, 171, 134, 141,
        111, 111, 125, 110, 110, 94, 124, 108, 124, 107, 125, 141, 179, 153, 125, 107, 125, 141, 179, 153, 125,
        107, 125, 141, 179, 153, 125, 140, 139, 182, 182, 152, 136, 152, 136, 153, 136, 139, 111, 136, 139, 111,
        140, 92, 137, 138, 140, 152, 138, 139, 153, 74, 149, 92, 139, 107, 122, 152, 140, 179, 166, 182, 140, 227, 122, 197,
        138, 153, 136, 167, 152, 152,
    },
    {
        153,
        185,
        107, 139, 126,
        154,
        197, 185, 201,
        149,
        154, 139, 154, 154,
        154,
        152,
        79,
        110,
        122,
        95, 79, 63, 31, 31,
        153, 153,
        168,
        124, 138, 94,
        153, 111,
        149, 107, 167, 154,
        140,
        198,
        154, 154,
        139, 139,
        LAST_PREFIX_1,
        LAST_PREFIX_1,
        121, 140, 61, 154,
        155, 154, 139, 153, 139, 123, 123, 63, 153, 166, 183, 140, 136, 153, 154, 166, 183, 140, 136, 153, 154,
        166, 183, 140, 136, 153, 154, 170, 153, 123, 123, 107, 121, 107, 121, 167, 151, 183, 140, 151, 183, 140,
        154, 196, 196, 167, 154, 152, 167, 182, 182, 134, 149, 136, 153, 121, 136, 137, 169, 194, 166, 167, 154, 167, 137, 182,
        107, 167, 91, 122, 107, 167,
    },
    {
        153,
        160,
        107, 139, 126,
        154,
        197, 185, 201,
        134,
        154, 139, 154, 154,
        183,
        152,
        79,
        154,
        137,
        95, 79, 63, 31, 31,
        153, 153,
        168,
        224, 167, 122,
        153, 111,
        149, 92, 167, 154,
        169,
        198,
        154, 154,
        139, 139,
        LAST_PREFIX_2,
        LAST_PREFIX_2,
        121, 140, 61, 154,
        170, 154, 139, 153, 139, 123, 123, 63, 124, 166, 183, 140, 136, 153, 154, 166, 183, 140, 136, 153, 154,
        166, 183, 140, 136, 153, 154, 170, 153, 138, 138, 122, 121, 122, 121, 167, 151, 183, 140, 151, 183, 140,
        154, 196, 167, 167, 154, 152, 167, 182, 182, 134, 149, 136, 153, 121, 136, 122, 169, 208, 166, 167, 154, 152, 167, 182,
        107, 167, 91, 107, 107, 167,
    },
};
// clang-format on

#undef LAST_PREFIX_0
#undef LAST_PREFIX_1
#undef LAST_PREFIX_2

static_assert(INIT_VALUES[0][CONTEXTS - 1] == 152 && INIT_VALUES[1][CONTEXTS - 1] == 167 &&
                  INIT_VALUES[2][CONTEXTS - 1] == 167,
              "no value is missing");

}  // namespace

int init_type(SliceType type, bool cabac_init) {
    if (type == SliceType::I) return 0;
    return (type == SliceType::P) != cabac_init ? 1 : 2;
}

int init_value(int type, int context) { return INIT_VALUES[type][context]; }

void init_contexts(Contexts& contexts, int type, int slice_qp) {
    const int qp = std::clamp(slice_qp, 0, 51);
    for (int i = 0; i < CONTEXTS; ++i) {
        const int value = INIT_VALUES[type][i];
        const int slope = (value >> 4) * 5 - 45, offset = ((value & 15) << 3) - 16;
        const int pre = std::clamp(((slope * qp) >> 4) + offset, 1, 126);
        contexts.states[i] = ContextState(pre <= 63 ? (63 - pre) << 1 : ((pre - 64) << 1) | 1);
    }
}

}  // namespace edgecvar::hevc
