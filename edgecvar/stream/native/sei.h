// Supplemental enhancement information, whose messages both standards pack alike (ITU-T H.264, 7.3.2.3.1; H.265, 7.3.5).
#pragma once

#include "bits.h"

namespace edgecvar {

// Whether there is a recovery point among the messages of a unit: `bits` begins at its payload then.
bool find_recovery_point(const Payload& payload, BitReader& bits);

}  // namespace edgecvar
