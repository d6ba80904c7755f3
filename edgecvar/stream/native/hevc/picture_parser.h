// The slice segments of one picture, parsed to its motion and coefficients; losses are concealed.
#pragma once

#include <memory>

#include "gathered_picture.h"

namespace edgecvar::hevc {

// On so many threads where a picture has several substreams: it gives the same.
std::unique_ptr<edgecvar::PictureParser> picture_parser(int threads);

}  // namespace edgecvar::hevc
