// The part of the Python module _h264 that writes I-pictures for other decoders (_h264.pyi).
#include <memory>
#include <mutex>

#include "idr_writer.h"
#include "module_parts.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

// One that two threads may call: they take turns, without the interpreter lock.
class SharedIdrWriter {
public:
    explicit SharedIdrWriter(const Bytes& extradata) : writer_(extradata.data(), extradata.size()) {}

    py::bytes write(const py::object& sets, const py::object& packet) {
        const Bytes units(sets), data(packet);
        std::vector<uint8_t> written;
        {
            const py::gil_scoped_release released;
            const std::lock_guard<std::mutex> lock(mutex_);
            written = writer_.write({units.data(), units.data() + units.size()}, data.data(), data.size());
        }
        return py::bytes(reinterpret_cast<const char*>(written.data()), written.size());
    }

private:
    std::mutex mutex_;
    IdrWriter writer_;
};

}  // namespace

void bind_idr_writer(py::module_& module) {
    py::class_<SharedIdrWriter>(module, "IdrWriter")
        .def(py::init([](const py::object& extradata) { return std::make_unique<SharedIdrWriter>(Bytes(extradata)); }),
             py::arg("extradata"))
        .def("write", &SharedIdrWriter::write, py::arg("sets"), py::arg("packet"));
}

}  // namespace edgecvar
