// Any bytes through the whole core (libFuzzer): they are read as a stream file, see packets.h.
#include <cstdlib>

#include "h264/idr_writer.h"
#include "hevc/irap_writer.h"
#include "inputs.h"
#include "packets.h"
#include "planes.h"
#include "traces.h"

// A picture may be as large as a level allows: an input's time is bounded by the macroblocks it may ask for.
constexpr size_t MAX_MACROBLOCKS = 1 << 14;
constexpr size_t MAX_PACKETS = 64;

namespace {

// What is written of an I-picture is one IDR picture to a decoder that has seen nothing before it.
template <class Writer>
void write_idr(Writer& writer, edgecvar::Standard standard, const std::vector<uint8_t>& sets,
               const std::vector<uint8_t>& packet) {
    std::vector<uint8_t> written;
    try {
        written = writer.write(sets, packet.data(), packet.size());
    } catch (const edgecvar::Damage&) {
        return;
    } catch (const edgecvar::Unsupported&) {
        return;
    }
    const auto fresh = edgecvar::make_decoder(standard, {});
    const auto pictures = fresh->parse(written.data(), written.size(), 0);
    if (pictures.size() != 1 || !pictures[0]->random_access || pictures[0]->damages() > 0) std::abort();
}

template <class Writer>
void read_all(const StreamFile& file) {
    const auto decoder = edgecvar::make_decoder(file.standard, {file.extradata.data, file.extradata.size});
    Writer writer(file.extradata.data, file.extradata.size);
    size_t macroblocks = 0;
    Traces traces;
    for (uint32_t i = 0; i < file.packets.size() && i < MAX_PACKETS; ++i) {
        // A copy of its exact size, so that reading past its end is seen.
        const std::vector<uint8_t> packet(file.packets[i].data, file.packets[i].data + file.packets[i].size);
        try {
            for (const auto& picture : decoder->parse(packet.data(), packet.size(), i)) {
                picture->tag->display = int32_t(i ^ 1);
                picture->tag->displayed = true;
                if (!picture->motion) continue;
                macroblocks += size_t(picture->motion->mb_width) * size_t(picture->motion->mb_height);
                if (macroblocks > MAX_MACROBLOCKS) return;
                const Planes planes(*picture);
                prepared_inputs(*picture);
                traces.add(*picture);
            }
        } catch (const edgecvar::Damage&) {
        } catch (const edgecvar::Unsupported&) {
        }
        write_idr(writer, file.standard, decoder->parameter_sets(), packet);
    }
}

// What is known of a picture once it is parsed, in one number.
uint64_t facts_of(const edgecvar::ParsedPicture& picture) {
    picture.await();
    uint64_t hash = 0;
    const auto add = [&](uint64_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15u; };
    for (const int value : {picture.damages(), picture.concealed_macroblocks, int(picture.whole), int(picture.exact)})
        add(uint64_t(value));
    if (!picture.motion) return hash;
    for (const edgecvar::MotionVector& mv : picture.motion->mv) add(uint64_t(mv.x) << 16 ^ uint16_t(mv.y));
    for (const int8_t ref : picture.motion->ref) add(uint8_t(ref));
    picture.residual->blocks([&](const edgecvar::ResidualBlock& block) {
        for (int row = 0; row < block.size; ++row)
            for (int i = 0; i < block.size; ++i) add(uint16_t(block.samples.samples[row * block.samples.stride + i]));
    });
    return hash;
}

// Facts of all pictures, asked from the last to the first once all are read, and what was thrown in between.
std::vector<uint64_t> facts(const StreamFile& file, int threads, bool on_demand) {
    std::vector<std::shared_ptr<edgecvar::ParsedPicture>> pictures;
    std::vector<uint64_t> thrown, facts;
    const auto decoder = edgecvar::make_decoder(file.standard, {file.extradata.data, file.extradata.size}, threads,
                                                on_demand);
    size_t macroblocks = 0;
    for (uint32_t i = 0; i < file.packets.size() && i < MAX_PACKETS && macroblocks <= MAX_MACROBLOCKS; ++i) {
        try {
            for (const auto& picture : decoder->parse(file.packets[i].data, file.packets[i].size, i)) {
                if (picture->motion) macroblocks += picture->motion->slice.size();
                pictures.push_back(picture);
            }
        } catch (const edgecvar::Damage&) {
            thrown.push_back(i);
        } catch (const edgecvar::Unsupported&) {
            thrown.push_back(MAX_PACKETS + i);
        }
    }
    for (; !pictures.empty(); pictures.pop_back()) facts.push_back(facts_of(*pictures.back()));
    facts.insert(facts.end(), thrown.begin(), thrown.end());
    return facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const StreamFile file = read_stream_file(data, size);
    try {
        if (file.standard == edgecvar::Standard::H264) {
            read_all<edgecvar::h264::IdrWriter>(file);
        } else {
            read_all<edgecvar::hevc::IrapWriter>(file);
        }
        const bool on_demand = size % 2 == 1;
        if (facts(file, 1, false) != facts(file, 2, on_demand)) std::abort();
    } catch (const edgecvar::Damage&) {
    } catch (const edgecvar::Unsupported&) {
    }
    return 0;
}
