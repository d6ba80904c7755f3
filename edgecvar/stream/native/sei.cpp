// Supplemental enhancement information: finding the recovery point (ITU-T H.264 and H.265, Annex D).
#include "sei.h"

namespace edgecvar {

bool find_recovery_point(const Payload& payload, BitReader& bits) {
    constexpr size_t RECOVERY_POINT = 6;  // payloadType
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
            bits = BitReader(payload);
            bits.skip(unsigned(8 * at));
            return true;
        }
        at += size;
    }
    return false;
}

}  // namespace edgecvar
