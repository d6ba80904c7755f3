// Which slice segments make a picture, and what pictures leave for those after them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hevc/dpb.h"
#include "hevc/gathered_segments.h"
#include "hevc/parameter_sets.h"
#include "nal.h"
#include "parsed_picture.h"
#include "parsing_plan.h"
#include "store_pool.h"

namespace edgecvar::hevc {

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
    // A prefix SEI unit of the picture.
    void add_message(const NalUnit& unit);
    // The picture before a segment that starts another goes into `pictures`. Damage where a picture cannot be followed or
    // the segment is left out, Unsupported where it is not parsed here.
    void add_slice(const NalUnit& unit, Pictures& pictures);
    // An end of sequence or of bitstream unit: the packet's picture so far, if there is one, goes into `pictures`, and the
    // next one starts a sequence. Damage where it cannot be followed.
    void end_sequence(Pictures& pictures);
    // The packet's last picture, if there is one, goes into `pictures`; Damage where it cannot be followed.
    void finish(Pictures& pictures);

private:
    Segment& next_segment();
    bool starts_picture(const SliceHeader& next) const;
    void close();
    void count_in(Segment& segment);
    void start_another(Pictures& pictures);
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
    std::vector<Segment> segments_;  // the first `count_`; reused
    size_t count_ = 0;
    int slices_ = 0;                 // among them
    size_t entries_ = 0;             // that the references of these take
    bool slice_unread_ = false;      // the last one was left out: a dependent segment may belong to that
    int recovery_count_ = -1;
    Payload message_;
};

}  // namespace edgecvar::hevc
