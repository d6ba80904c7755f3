// Supplemental enhancement information: the recovery point (ITU-T H.264, 7.3.2.3, Annex D).
#include <algorithm>

#include "h264/headers.h"

namespace edgecvar::h264 {

namespace {

constexpr int RECOVERY_POINT = 6;  // payloadType
constexpr uint32_t MAX_FRAME_NUM = 1u << 16;

}  // namespace

int recovery_frame_cnt(const Payload& payload) {
    size_t at = 0;
    const auto number = [&]() {
        size_t value = 0;
        while (at < payload.size && payload.bytes[at] == 0xFF) value += payload.bytes[at++];
        return at < payload.size ? value + payload.bytes[at++] : value;
    };
    while (at + 2 < payload.size) {
        const bool recovery = number() == RECOVERY_POINT;
        const size_t size = number();
        if (recovery && at < payload.size) {
            BitReader bits(payload);
            bits.skip(unsigned(8 * at));
            return bits.peek32() == 0 ? -1 : int(std::min(bits.ue(), MAX_FRAME_NUM));
        }
        at += size;
    }
    return -1;
}

}  // namespace edgecvar::h264
