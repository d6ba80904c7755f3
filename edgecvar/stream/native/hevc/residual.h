// The residual that coefficient levels stand for (ITU-T H.265, 8.6.2 to 8.6.5).
#pragma once

#include <memory>

#include "coded_residual.h"
#include "hevc/coefficients.h"

namespace edgecvar::hevc {

// Of a whole picture. Values beyond int16, which only broken streams have, are clipped.
std::unique_ptr<const CodedResidual> coded_residual(Coefficients coefficients);

}  // namespace edgecvar::hevc
