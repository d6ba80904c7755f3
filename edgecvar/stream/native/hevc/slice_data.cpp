// Slice segment data (ITU-T H.265, 7.3.8.1 and 9.3.2.4).
#include "hevc/slice_data.h"

#include <algorithm>

#include "damage.h"

namespace edgecvar::hevc {

namespace {

int lists_of(SliceType type) { return type == SliceType::I ? 0 : type == SliceType::P ? 1 : 2; }

}  // namespace

void SliceData::start(const GatheredPicture& gathered, bool shared) {
    gathered_ = &gathered;
    const SliceHeader& first = gathered.segments[0].header;
    picture_.start(first.sps, first.pps, *gathered.picture->motion, gathered.poc);
    scan_.start(*first.sps, *first.pps);
    parts_.clear();
    refused_.clear();
    for (size_t i = 0; i < gathered.count; ++i) {
        try {
            check(gathered.segments[i]);
            append_parts(scan_, gathered, i, parts_);
        } catch (const Damage& error) {
            refused_.push_back({i, error.what()});
        }
    }
    outcomes_.assign(parts_.size(), PartOutcome{});
    columns_ = first.pps->column_starts.size();
    column_index_.assign(size_t(first.sps->width_in_ctbs()), 0);
    for (size_t column = 1; column < columns_; ++column) {
        std::fill(column_index_.begin() + first.pps->column_starts[column], column_index_.end(), column);
    }
    if (first.pps->entropy_coding_sync) {
        rows_.resize(size_t(first.sps->height_in_ctbs()) * columns_);
        for (Row& row : rows_) row.kept = false;
    }
    units_.start(size_t(scan_.count()), shared);
    ends_.start(parts_.size(), shared);
    // Written before anything is parsed: what is later in decoding order is told apart by that order.
    for (const Part& part : parts_) {
        for (int place = part.first; place < part.limit; ++place)
            picture_.slice_address[size_t(scan_.raster(place))] = gathered.segments[part.segment].header.slice_address;
    }
    const int before = parts_.empty() ? scan_.count() : parts_[0].first;
    for (int place = 0; place < before; ++place) units_.set(size_t(scan_.raster(place)));
}

void SliceData::check(const Segment& segment) const {
    const SliceReferences& references = picture_.motion->slices.at(size_t(segment.slice));
    for (int list = 0; list < lists_of(segment.header.type); ++list) {
        if (references.lists[list].size() < size_t(segment.header.num_ref_idx[list]))
            damaged("reference list too short");
    }
}

SliceState SliceData::slice_state(const Segment& segment) {
    const SliceHeader& header = segment.header;
    const SliceReferences& references = picture_.motion->slices[size_t(segment.slice)];
    SliceState slice{picture_, header, *header.sps, *header.pps, references};
    slice.index = uint16_t(segment.slice);
    slice.no_backward_prediction = true;
    for (int list = 0; list < lists_of(header.type); ++list) {
        for (const auto& tag : references.lists[list]) slice.no_backward_prediction &= tag->poc <= picture_.poc;
    }
    if (header.temporal_mvp && size_t(segment.slice) < gathered_->collocated.size()) {
        const Collocated& collocated = gathered_->collocated[size_t(segment.slice)];
        const MotionStore* const motion = collocated.motion.get();
        if (motion && motion->width == picture_.motion->width && motion->height == picture_.motion->height) {
            slice.collocated = motion;
            slice.collocated_tag = collocated.tag.get();
        }
    }
    return slice;
}

void SliceData::parse(size_t index, LevelBuffer& levels, size_t worker) {
    const Part& part = parts_[index];
    PartOutcome& outcome = outcomes_[index];
    outcome.worker = worker;
    outcome.first_block = levels.blocks();
    Cursor cursor{part.first, levels.blocks()};
    const struct Leaving {  // whatever is thrown: others may wait
        SliceData& data;
        size_t index;
        const Cursor& cursor;
        ~Leaving() { data.leave(index, cursor.place); }
    } leaving{*this, index, cursor};
    Substream stream(slice_state(gathered_->segments[part.segment]), levels);
    try {
        units(index, stream, cursor);
    } catch (const Damage& error) {
        outcome.damage = error.what();
        levels.cut(cursor.blocks);
    }
    outcome.end_block = levels.blocks();
    std::copy_n(stream.slice.used_references, 2, outcome.used_references);
    outcome.used_temporal = stream.slice.used_temporal;
}

void SliceData::units(size_t index, Substream& stream, Cursor& cursor) {
    const Part& part = parts_[index];
    const Payload& payload = gathered_->segments[part.segment].payload;
    stream.start_engine(payload.bytes.data() + part.begin, payload.bytes.data() + part.end);
    bool ends = false;
    while (!ends) {
        start_unit(index, stream, cursor.place);
        unit(stream, cursor.place);
        cursor.blocks = stream.levels.blocks();
        ++cursor.place;
        ends = ends_part(index, stream, cursor.place);
    }
    if (!part.last || !stream.slice.pps.dependent_slices_enabled) return;
    PartOutcome& outcome = outcomes_[index];
    outcome.ended = true;
    outcome.end = {stream.contexts(), stream.qp_y()};
}

// Reads what stands between coding tree units; Damage where these do not end as the segment and its entry points say.
bool SliceData::ends_part(size_t index, Substream& stream, int next) {
    const Part& part = parts_[index];
    if (stream.terminate()) {
        if (!part.last) damaged("slice segment ends before its last substream");
        return true;
    }
    if (next == part.limit && part.last) damaged("slice segment goes on where another begins");
    if (!scan_.starts_substream(next)) return false;
    if (!stream.terminate()) damaged("substream goes on where another begins");
    const uint8_t* const bytes = gathered_->segments[part.segment].payload.bytes.data();
    if (!part.last) {
        if (stream.position() != bytes + part.end) damaged("substream ends elsewhere than its entry point says");
        return true;
    }
    if (stream.position() >= bytes + part.end) damaged("slice data ends too early");
    stream.start_engine(stream.position(), bytes + part.end);
    return false;
}

// What the coding tree unit goes on from (9.3.1): the row above, the segment before, or nothing.
void SliceData::start_unit(size_t index, Substream& stream, int place) {
    const Part& part = parts_[index];
    if (scan_.starts_row(place)) {
        stream.set_qp_y(stream.slice.header.qp);
        if (!scan_.starts_tile(place)) return go_on_from_row(stream, place);
    }
    if (place != part.first && !scan_.starts_tile(place)) return;
    if (!gathered_->segments[part.segment].header.dependent || scan_.starts_tile(place)) {
        stream.set_qp_y(stream.slice.header.qp);
        return stream.reset_contexts();
    }
    if (index == 0) damaged("the slice segment before is lost");
    ends_.await(index - 1);
    const PartOutcome& before = outcomes_[index - 1];
    if (!before.ended || parts_[index - 1].limit != place || before.next != place)
        damaged("the slice segment before is lost");
    stream.load_contexts(before.end.contexts);
    stream.set_qp_y(before.end.qp_y);
}

int SliceData::above_right(int place) const {
    const int width = picture_.sps->width_in_ctbs(), x = scan_.x(place), address = scan_.raster(place);
    if (address < width || x + 1 == width) return -1;
    const int other = address - width + 1;
    return scan_.same_tile(address, other) ? other : -1;
}

void SliceData::go_on_from_row(Substream& stream, int place) {
    stream.reset_contexts();
    const int other = above_right(place);
    if (other < 0) return;
    units_.await(size_t(other));
    // Of another slice it is not available.
    const int other_place = stream.slice.pps.ctb_raster_to_tile[size_t(other)];
    if (other_place < stream.slice.pps.ctb_raster_to_tile[size_t(stream.slice.header.slice_address)]) return;
    const Row& above = row(other_place);
    if (!above.kept) damaged("the row above is lost");
    stream.load_contexts(above.contexts);
}

void SliceData::unit(Substream& stream, int place) {
    const Sps& sps = stream.slice.sps;
    const int width = sps.width_in_ctbs(), x = scan_.x(place), y = scan_.y(place), address = scan_.raster(place);
    if (stream.slice.pps.entropy_coding_sync) {
        const int other = above_right(place);
        if (other >= 0) {
            units_.await(size_t(other));
        } else if (y > 0) {
            units_.await(size_t(address - width));
        }
    }
    const int slice = stream.slice.header.slice_address;
    const bool left = x > 0 && address > slice && scan_.same_tile(address, address - 1);
    const bool up = y > 0 && address - width >= slice && scan_.same_tile(address, address - width);
    stream.coding_tree_unit(x << sps.ctb_log2, y << sps.ctb_log2, left, up);
    MotionStore& motion = *picture_.motion;
    const int square_log2 = sps.ctb_log2 - 4;
    const int right = std::min((x + 1) << square_log2, motion.mb_width);
    const int bottom = std::min((y + 1) << square_log2, motion.mb_height);
    for (int row = y << square_log2; row < bottom; ++row) {
        uint16_t* const squares = motion.slice.data() + size_t(row) * size_t(motion.mb_width);
        std::fill(squares + (x << square_log2), squares + right, stream.slice.index);
    }
    if (stream.slice.pps.entropy_coding_sync && scan_.column(place) == 1) row(place) = {true, stream.contexts()};
    units_.set(size_t(address));
}

// What was not reached, or is broken, is nothing to predict from.
void SliceData::leave(size_t index, int from) {
    const Part& part = parts_[index];
    outcomes_[index].next = from;
    MotionStore& motion = *picture_.motion;
    const int log2 = picture_.sps->ctb_log2 - 2;
    for (int place = from; place < part.limit; ++place) {
        const int left = scan_.x(place) << log2, right = std::min(left + (1 << log2), motion.width);
        const int top = scan_.y(place) << log2, bottom = std::min(top + (1 << log2), motion.height);
        for (int list = 0; list < (motion.two_lists ? 2 : 1); ++list) {
            for (int y = top; y < bottom; ++y) {
                const size_t first = (size_t(list) * size_t(motion.height) + size_t(y)) * size_t(motion.width);
                std::fill(motion.mv.data() + first + left, motion.mv.data() + first + right, MotionVector{0, 0});
                std::fill(motion.ref.data() + first + left, motion.ref.data() + first + right, int8_t(-1));
            }
        }
        units_.set(size_t(scan_.raster(place)));
    }
    ends_.set(index);
}

}  // namespace edgecvar::hevc
