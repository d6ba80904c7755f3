// Slice segment data: which coding tree units a part of a picture has, and what they go on from (ITU-T H.265, 7.3.8.1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hevc/progress.h"
#include "hevc/substream.h"
#include "hevc/substream_plan.h"

namespace edgecvar::hevc {

// What came of a part.
struct PartOutcome {
    std::string damage;  // empty where it is whole
    uint32_t used_references[2] = {0, 0};
    bool used_temporal = false;
    size_t worker = 0;  // whose buffer has its blocks, from
    size_t first_block = 0, end_block = 0;  // on and up to these
    int next = 0;  // in tile scan, after its last whole coding tree unit
    bool ended = false;  // `end` is what a dependent segment goes on from
    SavedState end;
};

// The parts of one picture, which may be parsed side by side as long as they are begun in order.
class SliceData {
public:
    // Cuts the picture into parts; segments that give none, and why, are in `refused`. All slices have references.
    void start(const GatheredPicture& gathered, bool shared);

    size_t count() const { return parts_.size(); }
    // Damage is in its outcome.
    void parse(size_t part, LevelBuffer& levels, size_t worker);

    const Part& part(size_t index) const { return parts_[index]; }
    const PartOutcome& outcome(size_t index) const { return outcomes_[index]; }

    struct Refused {
        size_t segment;
        std::string damage;
    };
    const std::vector<Refused>& refused() const { return refused_; }

private:
    // Context variables after the second coding tree unit of a row (9.3.2.4).
    struct Row {
        bool kept = false;
        Contexts contexts;
    };

    // The coding tree unit that is not whole yet, and the blocks before it.
    struct Cursor {
        int place;
        size_t blocks;
    };

    void check(const Segment& segment) const;
    SliceState slice_state(const Segment& segment);
    void units(size_t index, Substream& stream, Cursor& cursor);
    bool ends_part(size_t index, Substream& stream, int next);
    void start_unit(size_t index, Substream& stream, int place);
    void go_on_from_row(Substream& stream, int place);
    void unit(Substream& stream, int place);
    // Within the tile: above and to the right, or -1.
    int above_right(int place) const;
    Row& row(int place) { return rows_[size_t(scan_.y(place)) * columns_ + column_index_[size_t(scan_.x(place))]]; }
    void leave(size_t index, int from);

    const GatheredPicture* gathered_ = nullptr;
    PictureState picture_;
    TileScan scan_;
    std::vector<Part> parts_;
    std::vector<PartOutcome> outcomes_;
    std::vector<Refused> refused_;
    std::vector<Row> rows_;  // by row and column of tiles
    std::vector<size_t> column_index_;  // of tiles, by column of coding tree blocks
    size_t columns_ = 1;
    Progress units_;  // by address in raster scan
    Progress ends_;  // by part
};

}  // namespace edgecvar::hevc
