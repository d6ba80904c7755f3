// The parts of the Python module _h264 that are in files of their own.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <vector>

#include "parsed_picture.h"

namespace edgecvar {

void bind_filters(pybind11::module_& module);
void bind_accumulation(pybind11::module_& module);

// Has a picture parsed, or waits for it where that is done ahead, without the interpreter lock.
const ParsedPicture& parsed(const ParsedPicture& picture);

// What a P or B picture has of motion, waited for in the same way; raises ValueError for an I-picture.
const MotionStore& store(const ParsedPicture& picture);

// As `store`, and where the display index of the picture, or of a reference of it, is to be set yet.
void require_display_indices(const ParsedPicture& picture);

// numpy.zeros takes its memory zeroed from the system: what nobody touches costs nothing.
template <class Number>
pybind11::array_t<Number> zeros(const std::vector<pybind11::ssize_t>& shape) {
    return pybind11::module_::import("numpy").attr("zeros")(pybind11::tuple(pybind11::cast(shape)),
                                                            pybind11::dtype::of<Number>());
}

}  // namespace edgecvar
