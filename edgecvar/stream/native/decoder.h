// Access units in, parsed pictures out: the native core's one door.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "damage.h"
#include "parsed_picture.h"

namespace edgecvar {

class Decoder {
public:
    // Parameter sets out of band; Damage if they are broken. Pictures are parsed on so many threads, on all cores with 0,
    // and in the caller's own with 1; `on_demand` in the one that asks, and not before.
    Decoder(const uint8_t* extradata, size_t size, int threads = 1, bool on_demand = false);
    ~Decoder();

    // The pictures in one packet: one as a rule, none where it holds parameter sets alone. `number` is the packet's. With
    // threads and on demand they may still have to be parsed: ParsedPicture::await.
    // Damage where slices are there and none has a header that can be followed; Unsupported for what is not parsed
    // here: of a stream that has given pictures once it persists, and until then it is damage. The decoder can go on
    // after both.
    std::vector<std::shared_ptr<ParsedPicture>> parse(const uint8_t* data, size_t size, uint32_t number);

    // How many packets to parse before the first's pictures are awaited, so that all threads have something to do.
    int ahead() const;

    // All parameter sets in force as they came, packaged as the stream's packets are (start codes or lengths).
    std::vector<uint8_t> parameter_sets() const;
    // The packet but for its parameter sets.
    std::vector<uint8_t> without_sets(const uint8_t* data, size_t size) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace edgecvar
