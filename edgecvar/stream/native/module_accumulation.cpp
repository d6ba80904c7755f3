// Accumulation as Python sees it.
#include <pybind11/stl.h>

#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "accumulation.h"
#include "module_parts.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

using References = std::vector<std::tuple<int, std::shared_ptr<TracedPicture>, bool>>;
template <class Number>
using Array = py::array_t<Number, py::array::c_style>;
using Planes = std::tuple<Array<int16_t>, Array<int16_t>, Array<int16_t>>;

std::vector<TracedReference> traced(const References& references) {
    std::vector<TracedReference> all;
    for (const auto& [offset, picture, current] : references) all.push_back({offset, picture, current});
    return all;
}

std::unique_ptr<Accumulator> accumulator(int coded_width, int coded_height, bool residual) {
    constexpr int LARGEST = 1 << 14;
    for (const int side : {coded_width, coded_height})
        if (side <= 0 || side > LARGEST || side % 8 != 0)
            throw std::invalid_argument("a coded picture is whole blocks of 8 x 8, got " + std::to_string(coded_width) +
                                        " x " + std::to_string(coded_height));
    return std::make_unique<Accumulator>(coded_width, coded_height, residual);
}

template <class Number>
const Number* checked(const Array<Number>& array, const std::vector<py::ssize_t>& shape, const char* name) {
    if (std::vector<py::ssize_t>(array.shape(), array.shape() + array.ndim()) != shape)
        throw std::invalid_argument(std::string(name) + ": of another shape than the pictures that are followed");
    return array.data();
}

std::vector<int> offsets_in_arrays(const Array<int16_t>& ref_offset, const Array<bool>& intra) {
    if (intra.ndim() != 2) throw std::invalid_argument("intra: not of two dimensions");
    const bool* intras = intra.data();
    const int16_t* offsets = checked(ref_offset, {2, intra.shape(0), intra.shape(1)}, "ref_offset");
    const size_t blocks = size_t(intra.size());
    const py::gil_scoped_release released;
    return offsets_in_use(offsets, intras, blocks);
}

std::shared_ptr<TracedPicture> follow_arrays(const Accumulator& accumulator, const Array<int16_t>& mv_qpel,
                                             const Array<int16_t>& ref_offset, const Array<bool>& intra,
                                             const std::optional<Planes>& residual, const References& references) {
    const py::ssize_t rows = accumulator.height() / 4, columns = accumulator.width() / 4;
    PictureArrays arrays{};
    // A vector is a pair of int16, which an array of them is read as on every machine that this is built for.
    arrays.mv = reinterpret_cast<const MotionVector*>(checked(mv_qpel, {2, rows, columns, 2}, "mv_qpel"));
    arrays.ref_offset = checked(ref_offset, {2, rows, columns}, "ref_offset");
    arrays.intra = checked(intra, {rows, columns}, "intra");
    if (residual) {
        arrays.y = checked(std::get<0>(*residual), {4 * rows, 4 * columns}, "y");
        arrays.cb = checked(std::get<1>(*residual), {2 * rows, 2 * columns}, "cb");
        arrays.cr = checked(std::get<2>(*residual), {2 * rows, 2 * columns}, "cr");
    }
    const std::vector<TracedReference> all = traced(references);
    const py::gil_scoped_release released;
    return accumulator.follow(arrays, all);
}

std::shared_ptr<TracedPicture> follow(const Accumulator& accumulator, const ParsedPicture& picture,
                                      const References& references) {
    if (picture.motion) require_display_indices(picture);
    const std::vector<TracedReference> all = traced(references);
    const py::gil_scoped_release released;
    return accumulator.follow(picture, all);
}

py::array displacement(const TracedPicture& picture) {
    py::array_t<float> out = zeros<float>({picture.height() / 4, picture.width() / 4, 2});
    float* const pairs = out.mutable_data();
    {
        const py::gil_scoped_release released;  // not while `out` becomes what is returned
        picture.displacement(pairs);
    }
    return out;
}

py::tuple residual(const TracedPicture& picture) {
    const py::ssize_t rows = picture.height(), columns = picture.width();
    py::array_t<int16_t> y = zeros<int16_t>({rows, columns});
    py::array_t<int16_t> cb = zeros<int16_t>({rows / 2, columns / 2}), cr = zeros<int16_t>({rows / 2, columns / 2});
    int16_t *const luma = y.mutable_data(), *const blue = cb.mutable_data(), *const red = cr.mutable_data();
    {
        const py::gil_scoped_release released;
        picture.residual(luma, blue, red);
    }
    return py::make_tuple(y, cb, cr);
}

}  // namespace

void bind_accumulation(py::module_& module) {
    py::class_<TracedPicture, std::shared_ptr<TracedPicture>>(module, "TracedPicture")
        .def("displacement", &displacement)
        .def("residual", &residual);
    py::class_<Accumulator>(module, "Accumulator")
        .def(py::init(&accumulator), py::arg("coded_width"), py::arg("coded_height"), py::arg("residual"))
        .def("origin", &Accumulator::origin)
        .def("follow", &follow, py::arg("picture"), py::arg("references"))
        .def("follow_arrays", &follow_arrays, py::arg("mv_qpel").noconvert(), py::arg("ref_offset").noconvert(),
             py::arg("intra").noconvert(), py::arg("residual").noconvert(), py::arg("references"));
    module.def("offsets_in_arrays", &offsets_in_arrays, py::arg("ref_offset").noconvert(),
               py::arg("intra").noconvert());
}

}  // namespace edgecvar
