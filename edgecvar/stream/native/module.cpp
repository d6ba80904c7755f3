// The Python module _core: the decoder and its pictures as _core.pyi describes them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

#include "accumulation.h"
#include "decoder.h"
#include "module_parts.h"

namespace py = pybind11;

namespace edgecvar {
namespace {

// A decoder that two threads may call: one waits for the other, without the interpreter lock.
class Parser {
public:
    Parser(const std::string& codec, const Bytes& extradata, int threads, bool on_demand)
        : decoder_(make_decoder(standard(codec), {extradata.data(), extradata.size()}, threads, on_demand)) {}
    ~Parser() {
        const py::gil_scoped_release released;  // what is underway comes to its end
        decoder_.reset();
    }

    std::vector<std::shared_ptr<ParsedPicture>> parse(const py::object& packet, uint32_t number) {
        const Bytes bytes(packet);
        const py::gil_scoped_release released;
        const std::lock_guard<std::mutex> lock(mutex_);
        return decoder_->parse(bytes.data(), bytes.size(), number);
    }

    int ahead() const { return decoder_->ahead(); }

    py::bytes parameter_sets() {
        std::vector<uint8_t> sets;
        {
            const py::gil_scoped_release released;
            const std::lock_guard<std::mutex> lock(mutex_);
            sets = decoder_->parameter_sets();
        }
        return py::bytes(reinterpret_cast<const char*>(sets.data()), sets.size());
    }

    py::bytes without_sets(const py::object& packet) {
        const Bytes bytes(packet);  // nothing of this changes with what is parsed: it waits for nobody
        const std::vector<uint8_t> rest = decoder_->without_sets(bytes.data(), bytes.size());
        return py::bytes(reinterpret_cast<const char*>(rest.data()), rest.size());
    }

private:
    std::mutex mutex_;
    std::unique_ptr<Decoder> decoder_;
};

// An array that nobody may write to.
py::array sealed(py::array array) {
    array.attr("setflags")(py::arg("write") = false);
    return array;
}

// The vectors where they lie: the array keeps their store alive.
py::array vectors(const std::shared_ptr<MotionStore>& motion) {
    const py::ssize_t rows = motion->height, columns = motion->width;
    if (motion->mv.size() != size_t(2 * rows * columns)) throw std::logic_error("a picture's vectors are incomplete");
    using Keeper = std::shared_ptr<MotionStore>;
    const py::capsule keeper(new Keeper(motion), [](void* pointer) { delete static_cast<Keeper*>(pointer); });
    const auto* data = reinterpret_cast<const int16_t*>(motion->mv.data());
    return sealed(py::array_t<int16_t>({py::ssize_t(2), rows, columns, py::ssize_t(2)}, data, keeper));
}

py::tuple motion(const ParsedPicture& picture) {
    const MotionStore& motion = store(picture);
    require_display_indices(picture);
    const py::ssize_t rows = motion.height, columns = motion.width;
    py::array_t<int16_t> ref_offset({py::ssize_t(2), rows, columns});
    py::array_t<bool> intra({rows, columns}), weighted({rows, columns});
    int16_t* const offsets = ref_offset.mutable_data();
    bool *const intras = intra.mutable_data(), *const weighteds = weighted.mutable_data();
    {
        const py::gil_scoped_release released;
        motion_output(picture, offsets, intras, weighteds);
    }
    return py::make_tuple(vectors(picture.motion), sealed(ref_offset), sealed(intra), sealed(weighted));
}

py::tuple weights(const ParsedPicture& picture) {
    const MotionStore& motion = store(picture);
    const py::ssize_t rows = motion.height, columns = motion.width;
    py::array_t<int16_t> weight({py::ssize_t(2), rows, columns, py::ssize_t(3)});
    py::array_t<int16_t> offset({py::ssize_t(2), rows, columns, py::ssize_t(3)});
    py::array_t<uint8_t> denominator({rows, columns, py::ssize_t(3)});
    int16_t *const w = weight.mutable_data(), *const o = offset.mutable_data();
    uint8_t* const d = denominator.mutable_data();
    {
        const py::gil_scoped_release released;
        weight_output(picture, w, o, d);
    }
    return py::make_tuple(weight, offset, denominator);
}

py::tuple residual(const ParsedPicture& picture) {
    store(picture);
    const py::ssize_t rows = picture.sequence->coded_height, columns = picture.sequence->coded_width;
    py::array_t<int16_t> y = zeros<int16_t>({rows, columns});
    py::array_t<int16_t> cb = zeros<int16_t>({rows / 2, columns / 2}), cr = zeros<int16_t>({rows / 2, columns / 2});
    int16_t *const luma = y.mutable_data(), *const blue = cb.mutable_data(), *const red = cr.mutable_data();
    {
        const py::gil_scoped_release released;
        picture.residual->write({{{luma, columns}, {blue, columns / 2}, {red, columns / 2}}});
    }
    return py::make_tuple(y, cb, cr);
}

// Display offsets, as in `motion`, of the references that blocks use.
std::vector<int> offsets(const ParsedPicture& picture) {
    require_display_indices(picture);
    const py::gil_scoped_release released;
    return offsets_in_use(picture);
}

const char* kind(const ParsedPicture& picture) {
    return picture.kind == SliceType::I ? "I" : picture.kind == SliceType::P ? "P" : "B";
}

py::object display_index(const ParsedPicture& picture) {
    return picture.tag->displayed ? py::object(py::int_(picture.tag->display)) : py::object(py::none());
}

void set_display_index(ParsedPicture& picture, std::optional<int32_t> index) {
    picture.tag->display = index.value_or(0);
    picture.tag->displayed = index.has_value();
}

void bind_sequence(py::module_& module) {
    py::class_<Sequence, std::shared_ptr<Sequence>>(module, "Sequence")
        .def_readonly("profile_idc", &Sequence::profile_idc)
        .def_readonly("level_idc", &Sequence::level_idc)
        .def_readonly("coded_width", &Sequence::coded_width)
        .def_readonly("coded_height", &Sequence::coded_height)
        .def_property_readonly("crop",
                               [](const Sequence& sps) {
                                   return py::make_tuple(sps.crop_left, sps.crop_top, sps.crop_right, sps.crop_bottom);
                               })
        .def_readonly("chroma_format_idc", &Sequence::chroma_format_idc)
        .def_readonly("bit_depth", &Sequence::bit_depth_luma)
        .def_readonly("bit_depth_chroma", &Sequence::bit_depth_chroma)
        .def_readonly("max_frame_num", &Sequence::max_frame_num)
        .def_readonly("max_reorder", &Sequence::max_reorder)
        .def_readonly("fields", &Sequence::fields);
}

void bind_picture(py::module_& module) {
    py::class_<ParsedPicture, std::shared_ptr<ParsedPicture>>(module, "Picture")
        .def_property_readonly("number", [](const ParsedPicture& picture) { return picture.tag->number; })
        .def_property_readonly("kind", &kind)
        .def_readonly("random_access", &ParsedPicture::random_access)
        .def_readonly("reference", &ParsedPicture::reference)
        .def_readonly("output", &ParsedPicture::output)
        .def_readonly("resets_order", &ParsedPicture::resets_order)
        .def_readonly("frame_num", &ParsedPicture::frame_num)
        .def_readonly("recovery_count", &ParsedPicture::recovery_count)
        .def_property_readonly("poc", [](const ParsedPicture& picture) { return picture.tag->poc; })
        .def_readonly("lost", &ParsedPicture::lost)
        .def_readonly("extra_units", &ParsedPicture::extra_units)
        .def_readonly("sets_refused", &ParsedPicture::sets_refused)
        .def_readonly("unit_damage", &ParsedPicture::unit_damage)
        .def_property_readonly("damaged_slices", [](const ParsedPicture& picture) { return parsed(picture).damages(); })
        .def_property_readonly("concealed_macroblocks",
                               [](const ParsedPicture& picture) { return parsed(picture).concealed_macroblocks; })
        .def_property_readonly("whole", [](const ParsedPicture& picture) { return parsed(picture).whole; })
        .def_property_readonly("damage", [](const ParsedPicture& picture) { return parsed(picture).first_damage(); })
        .def_property_readonly("exact", [](const ParsedPicture& picture) { return parsed(picture).exact; })
        .def_property_readonly(
            "sequence",
            [](const ParsedPicture& picture) { return std::const_pointer_cast<Sequence>(picture.sequence); })
        .def_property("display_index", &display_index, &set_display_index)
        .def("motion", &motion)
        .def("weights", &weights)
        .def("residual", &residual)
        .def("offsets_in_use", &offsets);
}

}  // namespace

Standard standard(const std::string& codec) {
    if (codec == "h264") return Standard::H264;
    if (codec == "hevc") return Standard::HEVC;
    throw std::invalid_argument("the core reads h264 and hevc, not " + codec);
}

const ParsedPicture& parsed(const ParsedPicture& picture) {
    if (picture.is_parsed()) {
        picture.await();
    } else {
        const py::gil_scoped_release released;
        picture.await();
    }
    return picture;
}

const MotionStore& store(const ParsedPicture& picture) {
    if (!picture.motion) throw std::invalid_argument("an I picture has no motion and no residual");
    return *parsed(picture).motion;
}

void require_display_indices(const ParsedPicture& picture) {
    const MotionStore& motion = store(picture);
    if (!picture.tag->displayed) throw std::invalid_argument("display_index is to be set before motion is asked");
    for (const SliceReferences& slice : motion.slices)
        for (const auto& list : slice.lists)
            for (const auto& tag : list)
                if (!tag->displayed && !tag->lost)
                    throw std::invalid_argument("display_index of picture " + std::to_string(tag->number) +
                                                ", a reference of picture " + std::to_string(picture.tag->number) +
                                                ", is to be set before motion is asked");
}

}  // namespace edgecvar

// Without an interpreter lock nothing changes: what threads share is locked, or theirs to take turns at, with it too.
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
    using namespace edgecvar;
    module.doc() = "The compiled core.";
    py::register_exception<Damage>(module, "Damage", PyExc_ValueError);
    py::register_exception<Unsupported>(module, "Unsupported", PyExc_ValueError);
    bind_sequence(module);
    bind_picture(module);
    bind_filters(module);
    bind_accumulation(module);
    bind_idr_writer(module);
    py::class_<Parser>(module, "Parser")
        .def(py::init([](const std::string& codec, const py::object& extradata, int threads, bool on_demand) {
                 return std::make_unique<Parser>(codec, Bytes(extradata), threads, on_demand);
             }),
             py::arg("codec"), py::arg("extradata"), py::arg("threads") = 1, py::arg("on_demand") = false)
        .def_property_readonly("ahead", &Parser::ahead)
        .def("parse", &Parser::parse, py::arg("packet"), py::arg("number"))
        .def("parameter_sets", &Parser::parameter_sets)
        .def("without_sets", &Parser::without_sets, py::arg("packet"));
}
