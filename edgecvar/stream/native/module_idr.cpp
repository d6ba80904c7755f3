// The part of the Python module _core that writes I-pictures for other decoders (_core.pyi).
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "h264/idr_writer.h"
#include "hevc/irap_writer.h"
#include "module_parts.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

using Write = std::function<std::vector<uint8_t>(const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size)>;

template <class Writer>
Write write_by(const Bytes& extradata) {
    const auto writer = std::make_shared<Writer>(extradata.data(), extradata.size());
    return [writer](const std::vector<uint8_t>& sets, const uint8_t* packet, size_t size) {
        return writer->write(sets, packet, size);
    };
}

// One that two threads may call: they take turns, without the interpreter lock.
class SharedWriter {
public:
    SharedWriter(const std::string& codec, const Bytes& extradata)
        : write_(standard(codec) == Standard::H264 ? write_by<h264::IdrWriter>(extradata)
                                                   : write_by<hevc::IrapWriter>(extradata)) {}

    py::bytes write(const py::object& sets, const py::object& packet) {
        const Bytes units(sets), data(packet);
        std::vector<uint8_t> written;
        {
            const py::gil_scoped_release released;
            const std::lock_guard<std::mutex> lock(mutex_);
            written = write_({units.data(), units.data() + units.size()}, data.data(), data.size());
        }
        return py::bytes(reinterpret_cast<const char*>(written.data()), written.size());
    }

private:
    std::mutex mutex_;
    const Write write_;
};

}  // namespace

void bind_idr_writer(py::module_& module) {
    py::class_<SharedWriter>(module, "IdrWriter")
        .def(py::init([](const std::string& codec, const py::object& extradata) {
                 return std::make_unique<SharedWriter>(codec, Bytes(extradata));
             }),
             py::arg("codec"), py::arg("extradata"))
        .def("write", &SharedWriter::write, py::arg("sets"), py::arg("packet"));
}

}  // namespace edgecvar
