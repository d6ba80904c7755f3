// Which slices make a picture, and what pictures leave for those after them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dpb.h"
#include "headers.h"
#include "nal.h"
#include "parsed_picture.h"
#include "picture_parser.h"

namespace edgecvar {

class PictureGatherer {
public:
    using Pictures = std::vector<std::shared_ptr<ParsedPicture>>;

    // What one packet leaves for the next.
    struct Place {
        Dpb dpb;
        std::shared_ptr<const Sps> active;
    };
    const Place& place() const { return place_; }
    void go_back(const Place& to) { place_ = to; }

    // A packet begins, and with it a picture. Its slices are read by `sets`, which outlive it; those of I pictures are
    // parsed only where `whole` asks whether they can be.
    void begin(ParameterSets& sets, uint32_t number, bool whole);
    // An SEI unit of the picture.
    void add_message(const NalUnit& unit);
    // The picture before a slice that starts another goes into `pictures`. Damage where a picture cannot be followed or
    // the slice is left out, Unsupported where it is not parsed here.
    void add_slice(const NalUnit& unit, Pictures& pictures);
    // The packet's last picture, if there is one, goes into `pictures`; Damage where it cannot be followed.
    void finish(Pictures& pictures);

private:
    void count_in(const SliceHeader& header);
    std::shared_ptr<ParsedPicture> parsed();

    Place place_;
    PictureParser parser_;

    // Of the packet.
    ParameterSets* sets_ = nullptr;
    uint32_t number_ = 0;
    bool whole_ = false;

    // Of the picture that is being gathered.
    std::vector<Slice> slices_;  // the first `count_`; reused
    size_t count_ = 0;
    size_t entries_ = 0;         // that their references take
    int recovery_frames_ = -1;
    Payload message_;
};

}  // namespace edgecvar
