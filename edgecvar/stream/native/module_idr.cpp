// The part of the Python module _core that writes I-pictures for other decoders (_core.pyi).
#include <memory>
#include <mutex>
#include <string>

#include "h264/idr_writer.h"
#include "module_parts.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

// One that two threads may call: they take turns, without the interpreter lock.
template <class Writer>
class SharedWriter {
public:
    explicit SharedWriter(const Bytes& extradata) : writer_(extradata.data(), extradata.size()) {}

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
    Writer writer_;
};

template <class Writer>
void bind(py::module_& module, const char* name) {
    py::class_<SharedWriter<Writer>>(module, name)
        .def(py::init([](const py::object& extradata) { return std::make_unique<SharedWriter<Writer>>(Bytes(extradata)); }),
             py::arg("extradata"))
        .def("write", &SharedWriter<Writer>::write, py::arg("sets"), py::arg("packet"));
}

}  // namespace

void bind_idr_writer(py::module_& module) { bind<h264::IdrWriter>(module, "IdrWriter"); }

}  // namespace edgecvar
