// The parts of the Python module _core that are in files of their own.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "nal.h"
#include "parsed_picture.h"

namespace edgecvar {

// The bytes of any object that has a contiguous buffer; made and destroyed with the interpreter lock held.
class Bytes {
public:
    explicit Bytes(const pybind11::handle& object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw pybind11::error_already_set();
    }
    ~Bytes() { PyBuffer_Release(&view_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;

    const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
    size_t size() const { return size_t(view_.len); }

private:
    Py_buffer view_{};
};

void bind_filters(pybind11::module_& module);
void bind_accumulation(pybind11::module_& module);
void bind_idr_writer(pybind11::module_& module);

// "h264" or "hevc"; raises ValueError for another.
Standard standard(const std::string& codec);

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
