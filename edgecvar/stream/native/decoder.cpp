// Access units in, parsed pictures out: NAL units are sorted into pictures, slices parsed, losses concealed.
#include "decoder.h"

#include <algorithm>

#include "direct.h"
#include "held_sets.h"
#include "macroblock.h"
#include "slice_state.h"
#include "store_pool.h"

namespace edgecvar {

namespace {

constexpr int EXTENDED = 88;  // a profile of which data partitions and SP slices are expected (A.2.3)

enum NalType { SLICE = 1, PARTITION_A = 2, PARTITION_C = 4, IDR_SLICE = 5, SEI = 6, SPS = 7, PPS = 8 };

constexpr size_t MOST_ENTRIES = 1 << 18;  // of a picture: enough for a slice with 16 references a macroblock of 1080p
constexpr const char* REFUSED = "parameter set that its pictures do not follow";

bool is_set(const NalUnit& unit) { return unit.type == SPS || unit.type == PPS; }
bool is_slice(const NalUnit& unit) { return unit.type == SLICE || unit.type == IDR_SLICE; }

constexpr uint32_t MAX_FRAME_NUM = 1u << 16;

bool is_layer(int type) { return type == 14 || type == 15 || type == 20 || type == 21; }

// recovery_frame_cnt of the message (7.3.2.3.1) that is a recovery point, payloadType 6; -1 where none is.
int recovery_frame_cnt(const Payload& payload) {
    size_t at = 0;
    const auto number = [&]() {
        size_t value = 0;
        while (at < payload.size && payload.bytes[at] == 0xFF) value += payload.bytes[at++];
        return at < payload.size ? value + payload.bytes[at++] : value;
    };
    while (at + 2 < payload.size) {
        const bool recovery = number() == 6;
        const size_t size = number();
        if (recovery && at < payload.size) {
            BitReader bits(payload);
            bits.skip(unsigned(8 * at));
            return bits.peek32() == 0 ? -1 : int(std::min(bits.ue(), MAX_FRAME_NUM));
        }
        at += size;
    }
    return -1;
}

std::vector<std::vector<int16_t>> implicit_weights(const SliceState& s, bool& plain) {
    std::vector<std::vector<int16_t>> weights;
    plain = true;
    for (const Reference& zero : s.lists[0]) {
        weights.emplace_back();
        for (const Reference& one : s.lists[1]) {
            int factor = 0, weight = 32;
            if (dist_scale_factor(s.picture.poc, zero, one, factor) && factor >> 2 >= -64 && factor >> 2 <= 128) {
                weight = factor >> 2;
            }
            plain &= weight == 32;
            weights.back().push_back(int16_t(weight));
        }
    }
    return weights;
}

// What the references of a slice take as long as its picture is kept, in entries of 16 bytes.
size_t entries_of(const SliceHeader& header) {
    const size_t zero = size_t(header.num_ref_idx[0]), one = size_t(header.num_ref_idx[1]);
    const bool implicit = header.type == SliceType::B && header.pps->weighted_bipred_idc == 2;
    const size_t weights = header.explicit_weights ? sizeof(header.weights) / 16 : 0;
    return sizeof(SliceReferences) / 16 + zero + one + weights + (implicit ? zero * (2 + one / 8) : 0);
}

SliceReferences references_of(const SliceState& s) {
    const SliceHeader& header = s.header;
    SliceReferences references;
    references.type = header.type;
    for (int list = 0; list < 2; ++list) {
        for (const Reference& reference : s.lists[list]) {
            references.lists[list].push_back(reference.tag);
            references.long_term[list].push_back(reference.long_term);
        }
    }
    if (header.explicit_weights) {
        references.weighting = 1;
        references.luma_log2_denom = header.luma_log2_denom;
        references.chroma_log2_denom = header.chroma_log2_denom;
        references.weights.assign(header.weights.begin(), header.weights.end());
    } else if (header.type == SliceType::B && header.pps->weighted_bipred_idc == 2) {
        references.weighting = 2;
        references.implicit = implicit_weights(s, references.implicit_plain);
    }
    return references;
}

}  // namespace

struct Decoder::State {
    static constexpr size_t KEPT_SLICES = 64;  // whose memory is used again

    struct Slice {
        SliceHeader header;
        Payload payload;
    };

    // What came of one packet; damage in it is of single units.
    struct Outcome {
        std::vector<std::shared_ptr<ParsedPicture>> pictures;
        std::string damage, unsupported;  // the first of each
        int damaged_units = 0, slices = 0;

        void note(const std::string& what) {
            ++damaged_units;
            if (damage.empty()) damage = what;
        }
        template <typename Step>
        void guarded(const Step& step) {
            try {
                step();
            } catch (const Damage& error) {
                note(error.what());
            } catch (const Unsupported& feature) {
                note(feature.what());
                if (unsupported.empty()) unsupported = feature.what();
            }
        }
        void add(const Outcome& other) {
            damaged_units += other.damaged_units;
            if (damage.empty()) damage = other.damage;
        }
        bool whole() const {
            return damaged_units == 0 && !pictures.empty() &&
                   std::all_of(pictures.begin(), pictures.end(), [](const auto& picture) {
                       return picture->damaged_slices == 0 && picture->concealed_macroblocks == 0;
                   });
        }
    };

    // What one packet leaves for the next.
    struct Place {
        Dpb dpb;
        std::shared_ptr<const Sps> active;
    };

    HeldSets held;
    ParameterSets* sets = nullptr;  // that the slices of this packet are read by
    bool whole = false;  // I pictures are parsed, too: is the picture whole by these sets?
    Dpb dpb;
    int length_size = 0;
    std::shared_ptr<const Sps> active;
    bool begun = false;  // a picture has been given out
    int damaged_run = 0, strange_run = 0;  // damaged pictures, packets with what is not parsed here, in a row
    std::vector<Slice> slices;  // of the picture that is being gathered; reused
    size_t slice_count = 0;
    size_t entries = 0;  // that their references take
    int recovery_frames = -1;
    StorePool stores;
    LevelBuffer levels;
    std::vector<MacroblockEdges> edges;
    Payload scratch;

    Outcome read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by, bool proving);
    bool prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome);
    Outcome follow(const std::vector<NalUnit>& units, uint32_t number);
    Place place() const { return {dpb, active}; }
    void go_back(const Place& to) {
        dpb = to.dpb;
        active = to.active;
    }
    void watch(const Outcome& outcome);
    std::shared_ptr<ParsedPicture> finish(uint32_t number);
    const std::vector<uint8_t>* groups_of(const SliceHeader& header, PictureState& state);
    void parse_slices(ParsedPicture& picture, const CurrentPicture& current, size_t count);
    void gather(const NalUnit& unit, uint32_t number, std::vector<std::shared_ptr<ParsedPicture>>& pictures);
    void parse_one(Slice& slice, ParsedPicture& picture, const CurrentPicture& current, PictureState& state);
    void conceal(ParsedPicture& picture);
};

// The map is the same for all slices of a sound picture; a broken one may not ask for it again and again.
const std::vector<uint8_t>* Decoder::State::groups_of(const SliceHeader& header, PictureState& state) {
    constexpr int MOST = 8;
    if (state.groups_pps != header.pps.get() || state.groups_cycle != header.slice_group_change_cycle) {
        if (++state.groups_made > MOST) throw Damage("slice groups that change within a picture");
        state.groups = slice_group_map(*header.sps, *header.pps, header);
        state.groups_pps = header.pps.get();
        state.groups_cycle = header.slice_group_change_cycle;
    }
    return &state.groups;
}

void Decoder::State::parse_one(Slice& slice, ParsedPicture& picture, const CurrentPicture& current,
                               PictureState& state) {
    MotionStore& motion = *picture.motion;
    SliceState s(slice.header, state, uint16_t(motion.slices.size()));
    if (s.list_count > 0) dpb.build_lists(slice.header, current, s.lists);
    motion.slices.push_back(references_of(s));
    picture.coefficients.slices.push_back(slice.header.pps);
    if (s.pps.num_slice_groups > 1) s.groups = groups_of(slice.header, state);
    if (s.list_count == 2) {
        prepare_direct(s);
        if (dpb.order_unknown() && !s.sps.gaps_in_frame_num_allowed) state.exact = false;
    }
    std::string damage;
    try {
        parse_slice(s, slice.payload);
    } catch (const Damage& error) {
        damage = error.what();
    }
    for (int list = 0; list < s.list_count; ++list) {
        for (size_t i = 0; i < s.lists[list].size(); ++i) {
            if ((s.used_references[list] >> i & 1) && s.lists[list][i].tag->lost) state.exact = false;
        }
    }
    if (s.used_direct && (s.lists[1][0].tag->lost || s.lists[1][0].tag->damaged)) state.exact = false;
    if (!damage.empty()) throw Damage(damage);
}

void Decoder::State::parse_slices(ParsedPicture& picture, const CurrentPicture& current, size_t count) {
    picture.motion = stores.take(*picture.sps, picture.kind == SliceType::B);
    picture.coefficients.sps = picture.sps;
    levels.clear();
    PictureState state;
    state.motion = picture.motion.get();
    state.coefficients = &picture.coefficients;
    state.levels = &levels;
    state.edges.swap(edges);
    state.start(picture.sps->mb_width);
    state.poc = picture.tag->poc;
    for (size_t i = 0; i < count; ++i) {
        try {
            parse_one(slices[i], picture, current, state);
        } catch (const Damage& error) {
            state.exact = false;  // what was read before the damage showed may be wrong too
            ++picture.damaged_slices;
            if (picture.damage.empty()) picture.damage = error.what();
        }
    }
    state.edges.swap(edges);
    picture.coefficients.levels.assign(levels.data(), levels.data() + levels.size());
    picture.exact = state.exact;
    conceal(picture);
}

// What no slice gave is taken to stand still (P_Skip with vector 0).
void Decoder::State::conceal(ParsedPicture& picture) {
    MotionStore& motion = *picture.motion;
    if (motion.slices.empty()) {
        motion.slices.emplace_back();
        picture.coefficients.slices.push_back(slices[0].header.pps);
    }
    uint16_t inter = NO_SLICE;
    for (size_t i = 0; i < motion.slices.size() && inter == NO_SLICE; ++i) {
        if (!motion.slices[i].lists[0].empty()) inter = uint16_t(i);
    }
    const size_t count = motion.slice.size();
    const size_t width4 = size_t(motion.mb_width) * 4, width8 = size_t(motion.mb_width) * 2;
    for (size_t mb = 0; mb < count; ++mb) {
        if (motion.slice[mb] != NO_SLICE) continue;
        ++picture.concealed_macroblocks;
        motion.slice[mb] = inter == NO_SLICE ? 0 : inter;
        motion.flags[mb] = 0;
        const size_t x = mb % motion.mb_width, y = mb / motion.mb_width;
        for (int list = 0; list < 2; ++list) {
            MotionVector* mv = motion.mv.data() + list * count * 16 + y * 4 * width4 + x * 4;
            int8_t* ref = motion.ref.data() + list * count * 4 + y * 2 * width8 + x * 2;
            for (size_t row = 0; row < 4; ++row) std::fill_n(mv + row * width4, 4, MotionVector{});
            const int8_t index = list == 0 && inter != NO_SLICE ? 0 : -1;
            ref[0] = ref[1] = ref[width8] = ref[width8 + 1] = index;
        }
    }
    if (picture.concealed_macroblocks > 0) picture.exact = false;
}

std::shared_ptr<ParsedPicture> Decoder::State::finish(uint32_t number) {
    const SliceHeader first = slices[0].header;
    const size_t count = slice_count;
    slice_count = 0;
    if (active != first.sps) {
        dpb.clear();
        active = first.sps;
    }
    auto picture = std::make_shared<ParsedPicture>();
    CurrentPicture current = dpb.begin(first, number, picture->lost);
    picture->tag = current.tag;
    picture->sps = first.sps;
    picture->idr = current.idr;
    picture->reference = current.reference;
    picture->frame_num = first.frame_num;
    picture->recovery_frame_cnt = recovery_frames;
    recovery_frames = -1;
    for (size_t i = 0; i < count; ++i) {
        if (slices[i].header.type == SliceType::B) picture->kind = SliceType::B;
        if (slices[i].header.type == SliceType::P && picture->kind == SliceType::I) picture->kind = SliceType::P;
    }
    if (whole || picture->kind != SliceType::I) parse_slices(*picture, current, count);
    if (picture->kind == SliceType::I) {
        picture->motion.reset();
        picture->coefficients = Coefficients();
    }
    picture->tag->damaged = !picture->exact;
    dpb.end(first, current, picture->motion);
    picture->resets_order = current.resets_order;
    if (slices.size() > KEPT_SLICES) slices.resize(KEPT_SLICES);
    return picture;
}

Decoder::Decoder(const uint8_t* data, size_t size) : state_(std::make_unique<State>()) {
    const Extradata extradata = read_extradata(data, size);
    state_->length_size = extradata.length_size;
    for (const std::vector<uint8_t>& bytes : extradata.units) {
        if (bytes.empty()) continue;
        const NalUnit unit{bytes[0] >> 5 & 3, bytes[0] & 31, bytes.data(), bytes.size()};
        if (is_set(unit)) state_->held.take(unit);
        if (is_layer(unit.type)) throw Unsupported("SVC or MVC layers");
    }
}

Decoder::~Decoder() = default;

// Takes in a slice; the picture before it is finished where it starts another.
void Decoder::State::gather(const NalUnit& unit, uint32_t number,
                            std::vector<std::shared_ptr<ParsedPicture>>& pictures) {
    if (slices.size() <= slice_count) slices.resize(slice_count + 1);
    Slice* next = &slices[slice_count];
    unescape(unit, next->payload);
    next->header = sets->read_slice_header(unit, next->payload);
    if (next->header.redundant_pic_cnt > 0) return;
    if (slice_count > 0 && starts_picture(slices[0].header, next->header)) {
        Slice later = std::move(*next);
        std::string damage;
        try {
            pictures.push_back(finish(number));
        } catch (const Damage& error) {
            damage = error.what();
        }
        slices[0] = std::move(later);
        slice_count = 1;
        entries = entries_of(slices[0].header);
        if (!damage.empty()) throw Damage(damage);
        return;
    }
    const Sps& sps = *next->header.sps;
    if (slice_count >= std::min(size_t(sps.mb_width) * sps.mb_height, size_t(NO_SLICE))) {
        throw Damage("more slices than macroblocks");
    }
    const size_t held_entries = slice_count > 0 ? entries : 0;
    if (held_entries + entries_of(next->header) > MOST_ENTRIES)
        throw Damage("too many slices with too many references");
    entries = held_entries + entries_of(next->header);
    ++slice_count;
}

// One pass over a packet: parameter sets are taken as they come until a picture has been given out.
Decoder::State::Outcome Decoder::State::read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by,
                                             bool proving) {
    Outcome outcome;
    sets = &by;
    whole = proving;
    slice_count = 0;
    recovery_frames = -1;
    for (const NalUnit& unit : units) {
        outcome.guarded([&] {
            const bool partition = unit.type >= PARTITION_A && unit.type <= PARTITION_C;
            outcome.slices += partition || is_slice(unit);
            if (is_layer(unit.type)) throw Unsupported("SVC or MVC layers");
            if (partition) throw Unsupported("data partitioning");
            if (is_set(unit) && !begun) held.take(unit);
            if (unit.type == SEI) {
                unescape(unit, scratch);
                recovery_frames = std::max(recovery_frames, recovery_frame_cnt(scratch));
            }
            if (is_slice(unit)) gather(unit, number, outcome.pictures);
        });
        const bool expected = !begun || (active && active->profile_idc == EXTENDED);
        if (expected && !outcome.unsupported.empty()) throw Unsupported(outcome.unsupported);
    }
    if (slice_count > 0) outcome.guarded([&] { outcome.pictures.push_back(finish(number)); });
    return outcome;
}

// Reads a packet by parameter sets that wait, if it is the first to use them; false, and nothing has changed, unless
// that leaves nothing open.
bool Decoder::State::prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome) {
    const auto slice = std::find_if(units.begin(), units.end(), is_slice);
    if (slice == units.end() || !held.on_trial(*slice)) return false;
    const Place before = place();
    outcome = read(units, number, held.offered(), true);
    const bool first = held.alone_on_trial() && !outcome.pictures.empty();  // of ids of its own, however damaged
    const bool idr = !held.sequence_on_trial() || (!outcome.pictures.empty() && outcome.pictures[0]->idr);
    const bool sound = (outcome.whole() || first) && idr;
    if (!sound) go_back(before);
    held.settle(sound);
    return sound;
}

// Reads a packet by the sets that hold, or where it is whole by them alone by those that held before.
Decoder::State::Outcome Decoder::State::follow(const std::vector<NalUnit>& units, uint32_t number) {
    if (!held.doubted()) return read(units, number, held.sets(), false);
    const Place before = place();
    Outcome outcome = read(units, number, held.sets(), false);
    if (outcome.slices == 0 || outcome.whole()) return outcome;
    const Place after = place();
    go_back(before);
    ParameterSets former = held.former();
    Outcome other = read(units, number, former, true);
    if (!other.whole()) {
        go_back(after);
        return outcome;
    }
    held.revert(former);
    other.note(REFUSED);
    return other;
}

// What persists is no damage.
void Decoder::State::watch(const Outcome& outcome) {
    constexpr int PERSISTS = 32;
    strange_run = outcome.unsupported.empty() ? 0 : strange_run + 1;
    if (strange_run >= PERSISTS) throw Unsupported(outcome.unsupported);
    if (outcome.pictures.empty() && outcome.slices > 0) ++damaged_run;
    for (const auto& picture : outcome.pictures) {
        if (picture->kind == SliceType::I) continue;  // of which nothing is known
        damaged_run = picture->damaged_slices > 0 || picture->concealed_macroblocks > 0 ? damaged_run + 1 : 0;
    }
    if (damaged_run < PERSISTS || !held.waiting()) return;
    damaged_run = 0;
    held.give_way();
}

std::vector<std::shared_ptr<ParsedPicture>> Decoder::parse(const uint8_t* data, size_t size, uint32_t number) {
    State& s = *state_;
    bool broken = false, refused = false;
    const std::vector<NalUnit> units = split(data, size, s.length_size, broken);
    State::Outcome outcome, offers;
    for (const NalUnit& unit : units) {
        if (!s.begun || !is_set(unit)) continue;
        offers.guarded([&] { refused |= !s.held.offer(unit); });
    }
    if (!offers.unsupported.empty()) throw Unsupported(offers.unsupported);  // it has persisted
    if (s.begun && s.prove(units, number, outcome)) {
        refused = false;
    } else {
        outcome = s.follow(units, number);
    }
    outcome.add(offers);
    if (refused) outcome.note(REFUSED);
    s.watch(outcome);
    if (outcome.pictures.empty() && outcome.slices > 0) {
        throw Damage(outcome.damage.empty() ? "no slice that belongs to a picture" : outcome.damage);
    }
    if (broken) outcome.note("NAL unit lengths lead out of the packet");
    if (!outcome.pictures.empty()) {
        s.begun = true;
        ParsedPicture& last = *outcome.pictures.back();
        last.damaged_slices += outcome.damaged_units;
        if (last.damage.empty()) last.damage = outcome.damage;
        last.sets_refused = refused || offers.damaged_units > 0;
    }
    return outcome.pictures;
}

std::vector<uint8_t> Decoder::packaged(const std::vector<std::vector<uint8_t>>& units) const {
    std::vector<uint8_t> bytes;
    for (const std::vector<uint8_t>& unit : units) {
        const int width = state_->length_size ? state_->length_size : 4;
        const size_t prefix = state_->length_size ? unit.size() : 1;
        if (width < 4 && unit.size() >> (8 * width)) continue;  // cannot have come in such a packet
        for (int i = width; i-- > 0;) bytes.push_back(uint8_t(prefix >> (8 * i)));
        bytes.insert(bytes.end(), unit.begin(), unit.end());
    }
    return bytes;
}

std::vector<uint8_t> Decoder::parameter_sets() const { return packaged(state_->held.units()); }

std::vector<uint8_t> Decoder::without_sets(const uint8_t* data, size_t size) const {
    bool broken = false;
    std::vector<std::vector<uint8_t>> units;
    for (const NalUnit& unit : split(data, size, state_->length_size, broken)) {
        if (!is_set(unit)) units.emplace_back(unit.data, unit.data + unit.size);
    }
    return packaged(units);
}

}  // namespace edgecvar
