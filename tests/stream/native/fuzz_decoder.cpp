// Any bytes through the whole core (libFuzzer): they are read as a stream file, see packets.h.
#include "inputs.h"
#include "packets.h"
#include "planes.h"
#include "traces.h"

// A picture may be as large as a level allows: an input's time is bounded by the macroblocks it may ask for.
constexpr size_t MAX_MACROBLOCKS = 1 << 14;
constexpr size_t MAX_PACKETS = 64;

namespace {

void read_all(const StreamFile& file) {
    edgecvar::Decoder decoder(file.extradata.data, file.extradata.size);
    size_t macroblocks = 0;
    Traces traces;
    for (uint32_t i = 0; i < file.packets.size() && i < MAX_PACKETS; ++i) {
        // A copy of its exact size, so that reading past its end is seen.
        const std::vector<uint8_t> packet(file.packets[i].data, file.packets[i].data + file.packets[i].size);
        try {
            for (const auto& picture : decoder.parse(packet.data(), packet.size(), i)) {
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
    }
    decoder.parameter_sets();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const StreamFile file = read_stream_file(data, size);
    try {
        read_all(file);
    } catch (const edgecvar::Damage&) {
    } catch (const edgecvar::Unsupported&) {
    }
    return 0;
}
