// The recovery point (ITU-T H.264, D.1.8).
#include <algorithm>

#include "h264/headers.h"
#include "sei.h"

namespace edgecvar::h264 {

int recovery_frame_cnt(const Payload& payload) {
    constexpr uint32_t MAX_FRAME_NUM = 1u << 16;
    BitReader bits;
    if (!find_recovery_point(payload, bits) || bits.peek32() == 0) return -1;
    return int(std::min(bits.ue(), MAX_FRAME_NUM));
}

}  // namespace edgecvar::h264
