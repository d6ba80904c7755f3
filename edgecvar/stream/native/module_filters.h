// The parts of the Python module _h264 that are in files of their own.
#pragma once

#include <pybind11/pybind11.h>

#include "parsed_picture.h"

namespace edgecvar {

void bind_filters(pybind11::module_& module);

// Raises ValueError where the display index of a P or B picture, or of a reference of it, is to be set yet.
void require_display_indices(const ParsedPicture& picture);

}  // namespace edgecvar
