// Which slices make a picture, and what pictures leave for those after them.
#include "h264/picture_gatherer.h"

#include <algorithm>
#include <string>

#include "h264/slice_references.h"

namespace edgecvar::h264 {

namespace {

constexpr size_t KEPT_SLICES = 64;        // whose memory is used again
constexpr size_t MOST_ENTRIES = 1 << 18;  // of a picture: enough for a slice with 16 references a macroblock of 1080p

}  // namespace

void PictureGatherer::begin(ParameterSets& sets, uint32_t number, Parsing parsing) {
    sets_ = &sets;
    number_ = number;
    parsing_ = parsing;
    count_ = entries_ = 0;
    recovery_frames_ = -1;
}

void PictureGatherer::add_message(const NalUnit& unit) {
    unescape(unit, message_);
    recovery_frames_ = std::max(recovery_frames_, recovery_frame_cnt(message_));
}

void PictureGatherer::add_slice(const NalUnit& unit, Pictures& pictures) {
    if (slices_.size() <= count_) slices_.resize(count_ + 1);
    Slice& next = slices_[count_];
    unescape(unit, next.payload);
    next.header = sets_->read_slice_header(unit, next.payload);
    if (next.header.redundant_pic_cnt > 0) return;
    if (count_ == 0 || !starts_picture(slices_[0].header, next.header)) {
        count_in(next.header);
        return;
    }
    Slice later = std::move(next);
    std::string damage;
    try {
        finish(pictures);
    } catch (const Damage& error) {
        damage = error.what();
    }
    if (slices_.empty()) slices_.emplace_back();
    slices_[0] = std::move(later);
    count_in(slices_[0].header);
    if (!damage.empty()) throw Damage(damage);
}

// Takes the slice that lies behind the others as one of them.
void PictureGatherer::count_in(const SliceHeader& header) {
    const Sps& sps = *header.sps;
    if (count_ >= std::min(size_t(sps.mb_width) * sps.mb_height, size_t(NO_SLICE))) {
        throw Damage("more slices than macroblocks");
    }
    const size_t entries = entries_ + entries_of(header);
    if (entries > MOST_ENTRIES) throw Damage("too many slices with too many references");
    entries_ = entries;
    ++count_;
}

void PictureGatherer::finish(Pictures& pictures) {
    if (count_ > 0) pictures.push_back(followed());
}

// What parsing the first `count` slices takes; slices_ stay where they are.
std::unique_ptr<GatheredPicture> PictureGatherer::gathered(size_t count, const CurrentPicture& current,
                                                           std::shared_ptr<ParsedPicture> picture) {
    auto gathered = std::make_unique<GatheredPicture>();
    gathered->count = count;
    gathered->poc = current.tag->poc;
    gathered->order_unknown = place_.dpb.order_unknown();
    const Sps& sps = *slices_[0].header.sps;
    picture->motion = stores_.take({4 * sps.mb_width, 4 * sps.mb_height, 1, 2, sps.max_num_ref_frames});
    std::vector<Reference> lists[2];
    for (size_t i = 0; i < count; ++i) {
        const SliceHeader& header = slices_[i].header;
        place_.dpb.build_lists(header, current, lists);
        gathered->collocated.push_back(lists[1].empty() ? Collocated{}
                                                        : Collocated{lists[1][0].tag, lists[1][0].motion});
        picture->motion->slices.push_back(references_of(header, lists, gathered->poc));
    }
    gathered->picture = std::move(picture);
    return gathered;
}

void PictureGatherer::parse(std::unique_ptr<GatheredPicture> gathered) {
    gathered->slices = std::move(slices_);
    slices_.clear();
    const std::unique_ptr<edgecvar::GatheredPicture> parsed = plan_.parse(std::move(gathered), parsing_);
    if (!parsed) return;
    slices_ = std::move(static_cast<GatheredPicture&>(*parsed).slices);
    if (slices_.size() > KEPT_SLICES) slices_.resize(KEPT_SLICES);
}

// The picture takes its place behind those before it, and is parsed, or will be.
std::shared_ptr<ParsedPicture> PictureGatherer::followed() {
    const SliceHeader first = slices_[0].header;
    const size_t count = count_;
    count_ = entries_ = 0;
    if (place_.active != first.sps) {
        place_.dpb.clear();
        place_.active = first.sps;
    }
    auto picture = std::make_shared<ParsedPicture>();
    CurrentPicture current = place_.dpb.begin(first, number_, picture->lost);
    picture->tag = current.tag;
    picture->sequence = first.sps;
    picture->random_access = current.idr;
    picture->reference = current.reference;
    picture->resets_order = current.resets_order;
    picture->frame_num = first.frame_num;
    picture->recovery_count = recovery_frames_;
    recovery_frames_ = -1;
    for (size_t i = 0; i < count; ++i) {
        if (slices_[i].header.type == SliceType::B) picture->kind = SliceType::B;
        if (slices_[i].header.type == SliceType::P && picture->kind == SliceType::I) picture->kind = SliceType::P;
    }
    const bool intra = picture->kind == SliceType::I;
    if (!intra || parsing_ == Parsing::EVERY) parse(gathered(count, current, picture));
    if (intra) {
        picture->motion.reset();
        picture->residual.reset();
    }
    place_.dpb.end(first, current, picture->motion);
    return picture;
}

}  // namespace edgecvar::h264
