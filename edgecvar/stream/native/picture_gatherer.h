// Which slices make a picture, and what pictures leave for those after them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dpb.h"
#include "gathered_picture.h"
#include "headers.h"
#include "nal.h"
#include "parsed_picture.h"
#include "parsing_threads.h"
#include "pending_picture.h"
#include "picture_parser.h"
#include "store_pool.h"

namespace edgecvar {

// When P and B pictures are parsed: LATER by the gatherer's own way, or at once; and I pictures, of whose macroblocks
// nothing is wanted but whether they can be read, with EVERY.
enum class Parsing { LATER, AT_ONCE, EVERY };

class PictureGatherer {
public:
    using Pictures = std::vector<std::shared_ptr<ParsedPicture>>;

    // LATER is on `threads` where there are some, when they are asked by `shared` where that is there, else at once. The
    // caller holds up to `ahead` unfinished ones.
    PictureGatherer(ParsingThreads* threads, std::shared_ptr<SharedParser> shared, int ahead)
        : threads_(threads), shared_(std::move(shared)), stores_(ahead) {}

    // What one packet leaves for the next.
    struct Place {
        Dpb dpb;
        std::shared_ptr<const Sps> active;
    };
    const Place& place() const { return place_; }
    void go_back(const Place& to) { place_ = to; }

    // A packet begins, and with it a picture. Its slices are read by `sets`, which outlive it.
    void begin(ParameterSets& sets, uint32_t number, Parsing parsing);
    // An SEI unit of the picture.
    void add_message(const NalUnit& unit);
    // The picture before a slice that starts another goes into `pictures`. Damage where a picture cannot be followed or
    // the slice is left out, Unsupported where it is not parsed here.
    void add_slice(const NalUnit& unit, Pictures& pictures);
    // The packet's last picture, if there is one, goes into `pictures`; Damage where it cannot be followed.
    void finish(Pictures& pictures);

private:
    void count_in(const SliceHeader& header);
    std::shared_ptr<ParsedPicture> followed();
    GatheredPicture gathered(size_t count, const CurrentPicture& current, std::shared_ptr<ParsedPicture> picture);
    void parse(GatheredPicture gathered);

    Place place_;
    ParsingThreads* const threads_;
    const std::shared_ptr<SharedParser> shared_;
    StorePool stores_;
    PictureParser parser_;

    // Of the packet.
    ParameterSets* sets_ = nullptr;
    uint32_t number_ = 0;
    Parsing parsing_ = Parsing::LATER;

    // Of the picture that is being gathered.
    std::vector<Slice> slices_;  // the first `count_`; reused
    size_t count_ = 0;
    size_t entries_ = 0;         // that their references take
    int recovery_frames_ = -1;
    Payload message_;
};

}  // namespace edgecvar
