// The recovery point (ITU-T H.265, D.2.8).
#include <algorithm>

#include "hevc/parameter_sets.h"
#include "sei.h"

namespace edgecvar::hevc {

int recovery_poc_cnt(const Payload& payload) {
    constexpr int MOST = 32767;  // half of the greatest MaxPicOrderCntLsb, less one
    BitReader bits;
    if (!find_recovery_point(payload, bits) || bits.peek32() == 0) return -1;
    return std::clamp(bits.se(), -1, MOST);
}

}  // namespace edgecvar::hevc
