// The part of the Python module _core that prepares inputs of networks (_core.pyi).
#include "module_parts.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>

#include "block_filter.h"
#include "colour_filter.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

template <class T>
using Dense = py::array_t<T, py::array::c_style | py::array::forcecast>;

Axis axis(const Dense<int64_t>& index, const Dense<float>& weight, int inputs) {
    if (index.ndim() != 2 || weight.ndim() != 2 || index.shape(0) != weight.shape(0) ||
        index.shape(1) != weight.shape(1))
        throw std::invalid_argument("index and weight are to be of one shape (outputs, taps)");
    return Axis(index.data(), weight.data(), int(index.shape(0)), int(index.shape(1)), inputs);
}

Axes axes(const Axis& rows, const Axis& columns) { return {rows, columns}; }

// The planes of `out`, as it lies in memory.
template <size_t PLANES>
std::array<Target, PLANES> targets(py::array& out, const Axes& axes) {
    if (!py::isinstance<py::array_t<float>>(out) || !out.writeable() || out.ndim() != 3 ||
        out.shape(0) != py::ssize_t(PLANES) || out.shape(1) != axes.rows.outputs() ||
        out.shape(2) != axes.columns.outputs())
        throw std::invalid_argument("the output is to be float32 of the input's shape");
    constexpr py::ssize_t size = sizeof(float);
    if (out.strides(0) % size || out.strides(1) % size || out.strides(2) % size)
        throw std::invalid_argument("the output's strides are no whole floats");
    std::array<Target, PLANES> planes;
    for (size_t plane = 0; plane < PLANES; ++plane)
        planes[plane] = {static_cast<float*>(out.mutable_data(py::ssize_t(plane), 0, 0)), out.strides(1) / size,
                         out.strides(2) / size};
    return planes;
}

Colour colour(const std::array<std::array<float, 6>, 3>& channels, float low, float high) {
    Colour colour{{}, low, high};
    for (size_t i = 0; i < 3; ++i) {
        const auto& c = channels[i];
        colour.channels[i] = {c[0], c[1], c[2], c[3], c[4], c[5]};
    }
    return colour;
}

// A plane whose samples in a row lie side by side, of the size of the axes' inputs.
template <class Sample>
Samples<Sample> samples(const py::array& plane, const Axes& axes) {
    constexpr py::ssize_t size = sizeof(Sample);
    if (!py::isinstance<py::array_t<Sample>>(plane) || plane.ndim() != 2 || plane.shape(0) != axes.rows.inputs() ||
        plane.shape(1) != axes.columns.inputs())
        throw std::invalid_argument("planes are to be of one type and of the picture's size");
    if (plane.strides(1) != size || plane.strides(0) % size)
        throw std::invalid_argument("samples of a row are to lie side by side");
    return {static_cast<const Sample*>(plane.data()), plane.strides(0) / size};
}

template <class Sample>
void filter_planes(ColourFilter& filter, const std::array<py::array, 3>& planes, const Colour& colour,
                   const Targets& targets) {
    const std::array<Samples<Sample>, 3> given = {samples<Sample>(planes[0], filter.luma()),
                                                  samples<Sample>(planes[1], filter.chroma()),
                                                  samples<Sample>(planes[2], filter.chroma())};
    const py::gil_scoped_release released;
    filter.planes(given, colour, targets);
}

void bind_blocks(py::module_& module) {
    py::class_<BlockFilter>(module, "BlockFilter")
        .def(py::init([](const Axis& rows, const Axis& columns) {
                 return std::make_unique<BlockFilter>(axes(rows, columns));
             }),
             py::arg("rows"), py::arg("columns"))
        .def(
            "picture",
            [](BlockFilter& filter, const ParsedPicture& picture, const std::array<float, 3>& scale, py::array out) {
                const auto [x, y] = targets<2>(out, filter.axes());
                require_display_indices(picture);
                const py::gil_scoped_release released;
                filter.picture(picture, {scale[0], scale[1], scale[2]}, x, y);
            },
            py::arg("picture"), py::arg("scale"), py::arg("out"))
        .def(
            "pairs",
            [](BlockFilter& filter, const Dense<float>& pairs, const std::array<float, 3>& scale, py::array out) {
                const auto [x, y] = targets<2>(out, filter.axes());
                if (pairs.ndim() != 3 || pairs.shape(0) != filter.axes().rows.inputs() ||
                    pairs.shape(1) != filter.axes().columns.inputs() || pairs.shape(2) != 2)
                    throw std::invalid_argument("velocities are to be of the picture's blocks");
                const float* const data = pairs.data();
                const py::gil_scoped_release released;
                filter.pairs(data, {scale[0], scale[1], scale[2]}, x, y);
            },
            py::arg("pairs"), py::arg("scale"), py::arg("out"))
        .def(
            "intra",
            [](BlockFilter& filter, const ParsedPicture& picture, py::array out) {
                const auto [share] = targets<1>(out, filter.axes());
                parsed(picture);
                const py::gil_scoped_release released;
                filter.intra(picture, share);
            },
            py::arg("picture"), py::arg("out"))
        .def(
            "mask",
            [](BlockFilter& filter, const Dense<bool>& mask, py::array out) {
                const auto [share] = targets<1>(out, filter.axes());
                if (mask.ndim() != 2 || mask.shape(0) != filter.axes().rows.inputs() ||
                    mask.shape(1) != filter.axes().columns.inputs())
                    throw std::invalid_argument("a mask is to be of the picture's blocks");
                const bool* const data = mask.data();
                const py::gil_scoped_release released;
                filter.mask(data, share);
            },
            py::arg("mask"), py::arg("out"));
}

void bind_colour(py::module_& module) {
    py::class_<Colour>(module, "Colour").def(py::init(&colour), py::arg("channels"), py::arg("low"), py::arg("high"));
    py::class_<ColourFilter>(module, "ColourFilter")
        .def(py::init([](const Axis& rows, const Axis& columns, const Axis& chroma_rows, const Axis& chroma_columns) {
                 return std::make_unique<ColourFilter>(axes(rows, columns), axes(chroma_rows, chroma_columns));
             }),
             py::arg("rows"), py::arg("columns"), py::arg("chroma_rows"), py::arg("chroma_columns"))
        .def(
            "residual",
            [](ColourFilter& filter, const ParsedPicture& picture, const Colour& colour, py::array out) {
                const Targets into = targets<3>(out, filter.luma());
                parsed(picture);
                const py::gil_scoped_release released;
                filter.residual(picture, colour, into);
            },
            py::arg("picture"), py::arg("colour"), py::arg("out"))
        .def(
            "planes",
            [](ColourFilter& filter, const std::array<py::array, 3>& planes, const Colour& colour, py::array out) {
                const Targets into = targets<3>(out, filter.luma());
                if (py::isinstance<py::array_t<uint8_t>>(planes[0])) {
                    filter_planes<uint8_t>(filter, planes, colour, into);
                } else {
                    filter_planes<int16_t>(filter, planes, colour, into);
                }
            },
            py::arg("planes"), py::arg("colour"), py::arg("out"));
}

}  // namespace

void bind_filters(py::module_& module) {
    py::class_<Axis>(module, "Axis").def(py::init(&axis), py::arg("index"), py::arg("weight"), py::arg("inputs"));
    bind_blocks(module);
    bind_colour(module);
}

}  // namespace edgecvar
