// Prints what is parsed of stream files (see packets.h), as counts and one hash (FNV-1a, 64 bit) of all planes:
// `digest [--threads=N | --on-demand] FILE...`.
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>

#include "inputs.h"
#include "packets.h"
#include "planes.h"
#include "traces.h"

namespace {

struct Hash {
    uint64_t value = 0xcbf29ce484222325u;

    void byte(unsigned byte) { value = (value ^ byte) * 0x100000001b3u; }
    // By value, not by memory: the same on machines of either byte order.
    void number(int number) {
        for (int shift = 0; shift < 32; shift += 8) byte((unsigned(number) >> shift) & 255);
    }
    template <class Numbers>
    void numbers(const Numbers& values, size_t count) {
        for (size_t i = 0; i < count; ++i) number(values[i]);
    }
    void floats(const std::vector<float>& values) {
        for (const float value : values) {
            int32_t bits;
            std::memcpy(&bits, &value, sizeof bits);
            number(bits);
        }
    }
};

void add(const edgecvar::ParsedPicture& picture, Traces& traces, Hash& hash) {
    hash.number(int(picture.kind));
    hash.number(picture.tag->poc);
    hash.number(picture.damages());
    hash.number(picture.concealed_macroblocks);
    hash.number(picture.exact);
    hash.number(picture.whole);
    hash.number(picture.sets_refused);
    if (!picture.motion) return;
    const Planes planes(picture);
    for (const edgecvar::MotionVector& mv : picture.motion->mv) {
        hash.number(mv.x);
        hash.number(mv.y);
    }
    hash.numbers(planes.ref_offset, planes.ref_offset.size());
    hash.numbers(planes.intra, planes.blocks);
    hash.numbers(planes.weighted, planes.blocks);
    hash.numbers(planes.weight, planes.weight.size());
    hash.numbers(planes.offset, planes.offset.size());
    hash.numbers(planes.log2_denominator, planes.log2_denominator.size());
    for (const auto* plane : {&planes.y, &planes.cb, &planes.cr}) hash.numbers(*plane, plane->size());
    hash.floats(prepared_inputs(picture));
    traces.add(picture);
    hash.floats(traces.displacement);
    for (const auto* plane : {&traces.y, &traces.cb, &traces.cr}) hash.numbers(*plane, plane->size());
}

// What came of one packet.
struct Parsed {
    std::vector<std::shared_ptr<edgecvar::ParsedPicture>> pictures;
    bool damaged = false, unsupported = false;
};

struct Digest {
    int pictures = 0, inter = 0, concealed = 0, damaged = 0, unsupported = 0;
    Hash hash, sets;
    Traces traces;

    void add(const Parsed& parsed) {
        for (const auto& picture : parsed.pictures) {
            picture->await();
            picture->tag->display = pictures++;
            picture->tag->displayed = true;
            inter += picture->motion != nullptr;
            concealed += picture->concealed_macroblocks;
            ::add(*picture, traces, hash);
        }
        damaged += parsed.damaged;
        unsupported += parsed.unsupported;
    }
    void read(const StreamFile& file, int threads, bool on_demand) {
        const auto decoder = edgecvar::make_decoder(file.standard, {file.extradata.data, file.extradata.size}, threads,
                                                    on_demand);
        std::deque<Parsed> waiting;
        for (size_t i = 0; i < file.packets.size(); ++i) {
            waiting.emplace_back();
            try {
                waiting.back().pictures = decoder->parse(file.packets[i].data, file.packets[i].size, uint32_t(i));
            } catch (const edgecvar::Damage&) {
                waiting.back().damaged = true;
            } catch (const edgecvar::Unsupported&) {
                waiting.back().unsupported = true;
            }
            for (const uint8_t byte : decoder->parameter_sets()) sets.byte(byte);
            if (int(waiting.size()) <= decoder->ahead()) continue;
            add(waiting.front());
            waiting.pop_front();
        }
        for (const Parsed& parsed : waiting) add(parsed);
    }
};

void digest(const char* name, const std::vector<uint8_t>& bytes, int threads, bool on_demand) {
    Digest digest;
    try {
        digest.read(read_stream_file(bytes.data(), bytes.size()), threads, on_demand);
    } catch (const edgecvar::Damage&) {
        ++digest.damaged;
    } catch (const edgecvar::Unsupported&) {
        ++digest.unsupported;
    }
    std::printf("%016" PRIx64 " %3d pictures, %3d inter, %d macroblocks concealed; ",
                digest.hash.value ^ digest.sets.value, digest.pictures, digest.inter, digest.concealed);
    std::printf("packets: %d damaged, %d unsupported %s\n", digest.damaged, digest.unsupported, name);
}

}  // namespace

int main(int count, char** names) {
    int threads = 1;
    bool on_demand = false;
    for (int i = 1; i < count; ++i) {
        if (std::sscanf(names[i], "--threads=%d", &threads) == 1) continue;
        if (std::strcmp(names[i], "--on-demand") == 0) {
            on_demand = true;
            continue;
        }
        std::ifstream stream(names[i], std::ios::binary);
        if (!stream) {
            std::fprintf(stderr, "%s: cannot be read\n", names[i]);
            return 1;
        }
        const char* slash = names[i];
        for (const char* c = names[i]; *c; ++c)
            if (*c == '/') slash = c + 1;
        digest(slash, std::vector<uint8_t>(std::istreambuf_iterator<char>(stream), {}), threads, on_demand);
    }
}
