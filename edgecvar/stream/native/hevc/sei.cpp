// Supplemental enhancement information: the recovery point (ITU-T H.265, 7.3.5, Annex D).
#include <algorithm>

#include "hevc/parameter_sets.h"

namespace edgecvar::hevc {

namespace {

constexpr int RECOVERY_POINT = 6;        // payloadType
constexpr int MAX_RECOVERY_POC = 32767;  // half of the greatest MaxPicOrderCntLsb, less one

}  // namespace

int recovery_poc_cnt(const Payload& payload) {
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
            return bits.peek32() == 0 ? -1 : std::clamp(bits.se(), -1, MAX_RECOVERY_POC);
        }
        at += size;
    }
    return -1;
}

}  // namespace edgecvar::hevc
