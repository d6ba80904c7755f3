// Access units in, parsed pictures out: the native core's one door.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "damage.h"
#include "nal.h"
#include "parsed_picture.h"

namespace edgecvar {

// Of one stream of one standard.
class Decoder {
public:
    virtual ~Decoder() = default;

    // The pictures in one packet: one as a rule, none where it holds parameter sets alone. `number` is the packet's. With
    // threads and on demand they may still have to be parsed: ParsedPicture::await.
    // Damage where slices are there and none has a header that can be followed; Unsupported for what is not parsed
    // here: of a stream that has given pictures once it persists, and until then it is damage. The decoder can go on
    // after both.
    virtual std::vector<std::shared_ptr<ParsedPicture>> parse(const uint8_t* data, size_t size, uint32_t number) = 0;

    // How many packets to parse before the first's pictures are awaited, so that all threads have something to do.
    virtual int ahead() const = 0;

    // All parameter sets in force as they came, packaged as the stream's packets are (start codes or lengths).
    virtual std::vector<uint8_t> parameter_sets() const = 0;
    // The packet but for its parameter sets.
    virtual std::vector<uint8_t> without_sets(const uint8_t* data, size_t size) const = 0;
};

struct Extra {
    const uint8_t* data = nullptr;
    size_t size = 0;
};

// With parameter sets out of band; Damage if they are broken. Pictures are parsed on so many threads, on all cores with
// 0, and in the caller's own with 1; `on_demand` by the one that asks, and not before.
std::unique_ptr<Decoder> make_decoder(Standard standard, Extra extradata, int threads = 1, bool on_demand = false);

}  // namespace edgecvar
