// Which slice segments make a picture, and what pictures leave for those after them.
#include "hevc/picture_gatherer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "damage.h"
#include "hevc/slice_references.h"

namespace edgecvar::hevc {

namespace {

constexpr size_t KEPT_SEGMENTS = 64;      // whose memory is used again
constexpr size_t MOST_SEGMENTS = 4096;    // of a picture: the highest level has 600 (Table A.8)
constexpr size_t MOST_ENTRIES = 1 << 18;  // of a picture: enough for 2000 slices with weights and 16 references

// What all slices of a picture have in common and the header tells (7.4.7.1).
bool same_picture(const SliceHeader& one, const SliceHeader& other) {
    return one.nal_type == other.nal_type && one.temporal_id == other.temporal_id && one.poc_lsb == other.poc_lsb;
}

// Whether a segment lies behind another of its picture, in tile scan.
bool later(const SliceHeader& segment, const SliceHeader& than) {
    const std::vector<int>& order = segment.pps->ctb_raster_to_tile;
    return order[size_t(segment.segment_address)] > order[size_t(than.segment_address)];
}

SliceType kind_of(const std::vector<Segment>& segments, size_t count) {
    SliceType kind = SliceType::I;
    for (size_t i = 0; i < count; ++i) {
        if (segments[i].header.type == SliceType::B) return SliceType::B;
        if (segments[i].header.type == SliceType::P) kind = SliceType::P;
    }
    return kind;
}

Collocated collocated_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2]) {
    if (!header.temporal_mvp || header.type == SliceType::I) return {};
    const int list = header.type == SliceType::B && !header.collocated_from_l0 ? 1 : 0;
    if (size_t(header.collocated_ref_idx) >= lists[list].size()) return {};
    const Reference& reference = lists[list][size_t(header.collocated_ref_idx)];
    return {reference.tag, reference.motion};
}

}  // namespace

void PictureGatherer::begin(ParameterSets& sets, uint32_t number, Parsing parsing) {
    sets_ = &sets;
    number_ = number;
    parsing_ = parsing;
    close();
}

// No segment belongs to a picture any more.
void PictureGatherer::close() {
    count_ = entries_ = 0;
    slices_ = 0;
    slice_unread_ = false;
    recovery_count_ = -1;
}

void PictureGatherer::add_message(const NalUnit& unit) {
    unescape(unit, message_);
    recovery_count_ = std::max(recovery_count_, recovery_poc_cnt(message_));
}

// What lies behind the segments of the picture.
Segment& PictureGatherer::next_segment() {
    if (segments_.size() <= count_) segments_.resize(count_ + 1);
    return segments_[count_];
}

void PictureGatherer::add_slice(const NalUnit& unit, Pictures& pictures) {
    Segment& next = next_segment();
    unescape(unit, next.payload);
    const bool known = count_ > 0 && !slice_unread_;
    slice_unread_ = true;
    next.header = sets_->read_slice_header(unit, next.payload, known ? &segments_[count_ - 1].header : nullptr);
    slice_unread_ = count_ > 0 && next.header.slice_address != segments_[count_ - 1].header.slice_address;
    if (count_ > 0 && starts_picture(next.header)) {
        start_another(pictures);
    } else {
        count_in(next);
    }
}

// Whether a segment is of another picture than those that are gathered. That one's first segment may have been lost, and a
// first segment may have come twice, so that it is told by what differs; IDR pictures may have all but the address alike.
bool PictureGatherer::starts_picture(const SliceHeader& next) const {
    const SliceHeader& last = segments_[count_ - 1].header;
    const bool back = next.first_in_picture || (next.pps == last.pps && !later(next, last));
    const bool starts = !same_picture(last, next) || (next.idr() && back);
    if (starts && next.dependent) throw Damage("dependent slice segment of a picture without its slice");
    return starts;
}

// Takes the segment that lies behind the others as one of them.
void PictureGatherer::count_in(Segment& segment) {
    const SliceHeader& header = segment.header;
    if (header.dependent && slices_ == 0) throw Damage("dependent slice segment without its slice");
    if (count_ > 0) {
        const SliceHeader& last = segments_[count_ - 1].header;
        if (header.sps != last.sps || header.pps != last.pps) throw Damage("another parameter set within a picture");
        if (!later(header, last)) throw Damage("slice segment out of order, or repeated");
    }
    if (count_ >= MOST_SEGMENTS) throw Damage("more than 4096 slice segments in a picture");
    if (!header.dependent) {
        const size_t entries = entries_ + entries_of(header);
        if (entries > MOST_ENTRIES) throw Damage("too many slices with too many references");
        entries_ = entries;
        ++slices_;
    }
    segment.slice = slices_ - 1;
    slice_unread_ = false;
    ++count_;
}

// The picture is complete, and the segment that lies behind its own is the first of another.
void PictureGatherer::start_another(Pictures& pictures) {
    Segment later = std::move(segments_[count_]);
    std::string damage;
    try {
        finish(pictures);
    } catch (const Damage& error) {
        damage = error.what();
    }
    next_segment() = std::move(later);
    count_in(segments_[0]);
    if (!damage.empty()) throw Damage(damage);
}

void PictureGatherer::end_sequence(Pictures& pictures) {
    const struct Ending {
        Dpb& dpb;
        ~Ending() { dpb.end_of_sequence(); }
    } ending{place_.dpb};
    finish(pictures);
}

void PictureGatherer::finish(Pictures& pictures) {
    if (count_ > 0) pictures.push_back(followed());
}

// What parsing the first `count` segments takes; they stay where they are.
std::unique_ptr<GatheredPicture> PictureGatherer::gathered(size_t count, const CurrentPicture& current,
                                                           std::shared_ptr<ParsedPicture> picture) {
    auto gathered = std::make_unique<GatheredPicture>();
    gathered->count = count;
    gathered->poc = current.tag->poc;
    gathered->unreliable = current.unreliable;
    const Sps& sps = *segments_[0].header.sps;
    picture->motion = stores_.take({sps.coded_width / 4, sps.coded_height / 4, 0, 1, sps.max_dec_pic_buffering});
    std::vector<Reference> lists[2];
    for (size_t i = 0; i < count; ++i) {
        const SliceHeader& header = segments_[i].header;
        if (header.dependent) continue;
        place_.dpb.build_lists(header, current, lists);
        gathered->collocated.push_back(collocated_of(header, lists));
        picture->motion->slices.push_back(references_of(header, lists));
    }
    gathered->picture = std::move(picture);
    return gathered;
}

void PictureGatherer::parse(std::unique_ptr<GatheredPicture> gathered) {
    gathered->segments = std::move(segments_);
    segments_.clear();
    const std::unique_ptr<edgecvar::GatheredPicture> parsed = plan_.parse(std::move(gathered), parsing_);
    if (!parsed) return;
    segments_ = std::move(static_cast<GatheredPicture&>(*parsed).segments);
    if (segments_.size() > KEPT_SEGMENTS) segments_.resize(KEPT_SEGMENTS);
}

// The picture takes its place behind those before it, and is parsed, or will be.
std::shared_ptr<ParsedPicture> PictureGatherer::followed() {
    const SliceHeader first = segments_[0].header;
    const size_t count = count_;
    const int recovery_count = recovery_count_;
    close();
    if (place_.active != first.sps) {
        if (place_.active) place_.dpb.end_of_sequence();
        place_.active = first.sps;
    }
    auto picture = std::make_shared<ParsedPicture>();
    const CurrentPicture current = place_.dpb.begin(first, number_, picture->lost);
    picture->tag = current.tag;
    picture->sequence = first.sps;
    picture->random_access = first.irap();
    // One that its own sub-layer does not refer to may be referred to by those above (7.4.2.2).
    picture->reference = first.sub_layer_reference() || first.temporal_id + 1 < first.sps->max_sub_layers;
    picture->output = first.pic_output;
    picture->resets_order = current.resets_order;
    picture->recovery_count = recovery_count;
    picture->kind = kind_of(segments_, count);
    const bool intra = picture->kind == SliceType::I;
    if (!intra || parsing_ == Parsing::EVERY) parse(gathered(count, current, picture));
    if (intra) {
        picture->motion.reset();
        picture->residual.reset();
    }
    place_.dpb.end(current, picture->motion);
    return picture;
}

}  // namespace edgecvar::hevc
