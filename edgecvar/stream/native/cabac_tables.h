// Tables of the arithmetic decoding engine, which both standards share (ITU-T H.264, 9.3.3.2; H.265, 9.3.4.3).
#pragma once

#include <cstdint>

namespace edgecvar {

using ContextState = uint16_t;  // pStateIdx << 1 | valMPS; of 16 bits, so that it aliases nothing else

// Table 9-44 of H.264, rangeTabLPS[pStateIdx][qCodIRangeIdx]
extern const uint8_t RANGE_LPS[64][4];

// Table 9-45 of H.264, transIdxLPS and transIdxMPS of pStateIdx
extern const uint8_t NEXT_STATE_LPS[64];
extern const uint8_t NEXT_STATE_MPS[64];

}  // namespace edgecvar
