// The slices of one picture, parsed to its motion and coefficients; losses are concealed.
#include "h264/picture_parser.h"

#include <algorithm>
#include <exception>
#include <string>

#include "concealment.h"
#include "damage.h"
#include "h264/direct.h"
#include "h264/headers.h"
#include "h264/macroblock.h"

namespace edgecvar::h264 {

namespace {

// The map is the same for all slices of a sound picture; a broken one may not ask for it again and again.
const std::vector<uint8_t>* groups_of(const SliceHeader& header, PictureState& state) {
    constexpr int MOST = 8;
    if (state.groups_pps != header.pps.get() || state.groups_cycle != header.slice_group_change_cycle) {
        if (++state.groups_made > MOST) throw Damage("slice groups that change within a picture");
        state.groups = slice_group_map(*header.sps, *header.pps, header);
        state.groups_pps = header.pps.get();
        state.groups_cycle = header.slice_group_change_cycle;
    }
    return &state.groups;
}

void parse_one(const GatheredPicture& gathered, size_t index, PictureState& state) {
    const Slice& slice = gathered.slices[index];
    SliceState s(slice.header, state, uint16_t(index));
    const SliceReferences& references = s.references;
    if (s.pps.num_slice_groups > 1) s.groups = groups_of(slice.header, state);
    if (s.list_count == 2) {
        prepare_direct(s, gathered.collocated[index].motion.get());
        if (gathered.order_unknown && !s.sps.gaps_in_frame_num_allowed) state.exact = false;
    }
    std::string damage;
    try {
        parse_slice(s, slice.payload);
    } catch (const Damage& error) {
        damage = error.what();
    }
    for (int list = 0; list < s.list_count; ++list) {
        for (size_t i = 0; i < references.lists[list].size(); ++i) {
            if ((s.used_references[list] >> i & 1) && references.lists[list][i]->lost) state.exact = false;
        }
    }
    if (s.used_direct && (references.lists[1][0]->lost || references.lists[1][0]->damaged)) state.exact = false;
    if (!damage.empty()) throw Damage(damage);
}

}  // namespace

void PictureParser::parse_slices(const GatheredPicture& gathered, PictureState& state) {
    ParsedPicture& picture = *gathered.picture;
    for (size_t i = 0; i < gathered.count; ++i) state.coefficients->slices.push_back(gathered.slices[i].header.pps);
    for (size_t i = 0; i < gathered.count; ++i) {
        try {
            parse_one(gathered, i, state);
        } catch (const Damage& error) {
            state.exact = false;  // what was read before the damage showed may be wrong too
            ++picture.damaged_slices;
            if (picture.damage.empty()) picture.damage = error.what();
        }
    }
    state.coefficients->levels.assign(levels_.data(), levels_.data() + levels_.size());
}

void PictureParser::parse(const edgecvar::GatheredPicture& of) {
    const auto& gathered = static_cast<const GatheredPicture&>(of);
    ParsedPicture& picture = *gathered.picture;
    picture.motion->start(picture.kind == SliceType::B);
    Coefficients coefficients;
    coefficients.sps = gathered.slices[0].header.sps;
    levels_.clear();
    PictureState state;
    state.motion = picture.motion.get();
    state.coefficients = &coefficients;
    state.levels = &levels_;
    state.edges.swap(edges_);
    state.start(coefficients.sps->mb_width);
    state.poc = gathered.poc;
    std::exception_ptr failure;
    try {
        parse_slices(gathered, state);
    } catch (...) {
        failure = std::current_exception();
    }
    state.edges.swap(edges_);
    picture.exact = state.exact;
    conceal(picture);
    if (picture.concealed_macroblocks > 0) picture.exact = false;
    picture.residual = std::make_unique<MacroblockResidual>(std::move(coefficients), *picture.motion);
    picture.whole = picture.damaged_slices == 0 && picture.concealed_macroblocks == 0;
    picture.tag->damaged = !picture.exact;
    if (failure) std::rethrow_exception(failure);
}

}  // namespace edgecvar::h264
