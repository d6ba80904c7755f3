// Which slices make a picture, and what pictures leave for those after them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "h264/dpb.h"
#include "h264/gathered_slices.h"
#include "h264/headers.h"
#include "nal.h"
#include "parsed_picture.h"
#include "parsing_plan.h"
#include "store_pool.h"

namespace edgecvar::h264 {

class PictureGatherer {
public:
    using Pictures = std::vector<std::shared_ptr<ParsedPicture>>;

    // The plan outlives it.
    explicit PictureGatherer(ParsingPlan& plan) : plan_(plan), stores_(plan.ahead()) {}

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
    // A unit says that nothing of what follows refers to what was before: of H.265 alone.
    void end_sequence(Pictures&) {}
    // The packet's last picture, if there is one, goes into `pictures`; Damage where it cannot be followed.
    void finish(Pictures& pictures);

private:
    void count_in(const SliceHeader& header);
    std::shared_ptr<ParsedPicture> followed();
    std::unique_ptr<GatheredPicture> gathered(size_t count, const CurrentPicture& current,
                                              std::shared_ptr<ParsedPicture> picture);
    void parse(std::unique_ptr<GatheredPicture> gathered);

    Place place_;
    ParsingPlan& plan_;
    StorePool stores_;

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

}  // namespace edgecvar::h264
