// Packets in, parsed pictures out: NAL units are sorted, parameter sets proved and followed, damage accounted for.
#include "decoder.h"

#include <algorithm>
#include <string>
#include <thread>

#include "held_sets.h"
#include "nal.h"
#include "picture_gatherer.h"

namespace edgecvar {

namespace {

constexpr int EXTENDED = 88;  // a profile of which data partitions and SP slices are expected (A.2.3)

// Pictures that are parsed ahead: B pictures wait for others, so that more than one a thread are wanted.
constexpr int AHEAD = 8, AHEAD_A_THREAD = 4;
constexpr int MOST_THREADS = 8;  // each has memory of its own, and reading headers feeds no more

constexpr const char* REFUSED = "parameter set that its pictures do not follow";

int usable(int threads) {
    const int cores = threads > 0 ? threads : int(std::thread::hardware_concurrency());
    return std::clamp(cores, 1, MOST_THREADS);
}

bool is_set(const NalUnit& unit) { return unit.type == SPS || unit.type == PPS; }
bool is_slice(const NalUnit& unit) { return unit.type == SLICE || unit.type == IDR_SLICE; }
bool is_layer(int type) { return type == 14 || type == 15 || type == 20 || type == 21; }

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
               std::all_of(pictures.begin(), pictures.end(), [](const auto& picture) { return picture->whole; });
    }
};

}  // namespace

struct Decoder::State {
    State(int count, bool on_demand)
        : ahead(count > 1 ? AHEAD + AHEAD_A_THREAD * count : 0),
          threads(count > 1 ? std::make_unique<ParsingThreads>(count) : nullptr),
          gatherer(threads.get(), on_demand ? std::make_shared<SharedParser>() : nullptr, ahead) {}

    const int ahead;
    const std::unique_ptr<ParsingThreads> threads;
    HeldSets held;
    PictureGatherer gatherer;
    int length_size = 0;
    bool begun = false;  // a picture has been given out
    int damaged_run = 0;  // damaged pictures in a row, while a set waits
    int strange_run = 0;  // packets with what is not parsed here, in a row

    Outcome read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by, Parsing parsing);
    bool prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome);
    Outcome follow(const std::vector<NalUnit>& units, uint32_t number, Parsing parsing);
    void watch(const Outcome& outcome);
};

Decoder::Decoder(const uint8_t* data, size_t size, int threads, bool on_demand)
    : state_(std::make_unique<State>(on_demand ? 1 : usable(threads), on_demand)) {
    const Extradata extradata = read_extradata(data, size);
    state_->length_size = extradata.length_size;
    for (const std::vector<uint8_t>& bytes : extradata.units) {
        const NalUnit unit = nal_unit(bytes.data(), bytes.size());
        if (is_set(unit)) state_->held.take(unit);
        if (is_layer(unit.type)) throw Unsupported("SVC or MVC layers");
    }
}

Decoder::~Decoder() = default;

// One pass over a packet: parameter sets are taken as they come until a picture has been given out.
Outcome Decoder::State::read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by, Parsing parsing) {
    Outcome outcome;
    gatherer.begin(by, number, parsing);
    for (const NalUnit& unit : units) {
        outcome.guarded([&] {
            const bool partition = unit.type >= PARTITION_A && unit.type <= PARTITION_C;
            outcome.slices += partition || is_slice(unit);
            if (is_layer(unit.type)) throw Unsupported("SVC or MVC layers");
            if (partition) throw Unsupported("data partitioning");
            if (is_set(unit) && !begun) held.take(unit);
            if (unit.type == SEI) gatherer.add_message(unit);
            if (is_slice(unit)) gatherer.add_slice(unit, outcome.pictures);
        });
        const auto& active = gatherer.place().active;
        const bool expected = !begun || (active && active->profile_idc == EXTENDED);
        if (expected && !outcome.unsupported.empty()) throw Unsupported(outcome.unsupported);
    }
    outcome.guarded([&] { gatherer.finish(outcome.pictures); });
    return outcome;
}

// Reads a packet by parameter sets that wait, if it is the first to use them; false, and nothing has changed, unless
// that leaves nothing open.
bool Decoder::State::prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome) {
    const auto slice = std::find_if(units.begin(), units.end(), is_slice);
    if (slice == units.end() || !held.on_trial(*slice)) return false;
    const PictureGatherer::Place before = gatherer.place();
    outcome = read(units, number, held.offered(), Parsing::EVERY);
    const bool first = held.alone_on_trial() && !outcome.pictures.empty();  // of ids of its own, however damaged
    const bool idr = !held.sequence_on_trial() || (!outcome.pictures.empty() && outcome.pictures[0]->idr);
    const bool sound = (outcome.whole() || first) && idr;
    if (!sound) gatherer.go_back(before);
    held.settle(sound);
    return sound;
}

// Reads a packet by the sets that hold, or where it is whole by them alone by those that held before.
Outcome Decoder::State::follow(const std::vector<NalUnit>& units, uint32_t number, Parsing parsing) {
    if (!held.doubted()) return read(units, number, held.sets(), parsing);
    const PictureGatherer::Place before = gatherer.place();
    Outcome outcome = read(units, number, held.sets(), parsing);
    if (outcome.slices == 0 || outcome.whole()) return outcome;
    const PictureGatherer::Place after = gatherer.place();
    gatherer.go_back(before);
    ParameterSets former = held.former();
    Outcome other = read(units, number, former, Parsing::EVERY);
    if (!other.whole()) {
        gatherer.go_back(after);
        return outcome;
    }
    held.revert(former);
    other.note(REFUSED);
    return other;
}

// What persists is no damage. Where no set waits nothing hangs on it, and pictures may still have to be parsed.
void Decoder::State::watch(const Outcome& outcome) {
    constexpr int PERSISTS = 32;
    strange_run = outcome.unsupported.empty() ? 0 : strange_run + 1;
    if (strange_run >= PERSISTS) throw Unsupported(outcome.unsupported);
    if (!held.waiting()) {
        damaged_run = 0;
        return;
    }
    if (outcome.pictures.empty() && outcome.slices > 0) ++damaged_run;
    for (const auto& picture : outcome.pictures) {
        if (picture->kind == SliceType::I) continue;  // of which nothing is known
        damaged_run = picture->whole ? 0 : damaged_run + 1;
    }
    if (damaged_run < PERSISTS) return;
    damaged_run = 0;
    held.give_way();
}

std::vector<std::shared_ptr<ParsedPicture>> Decoder::parse(const uint8_t* data, size_t size, uint32_t number) {
    State& s = *state_;
    bool broken = false, refused = false;
    const std::vector<NalUnit> units = split(data, size, s.length_size, broken);
    Outcome outcome, offers;
    for (const NalUnit& unit : units) {
        if (!s.begun || !is_set(unit)) continue;
        offers.guarded([&] { refused |= !s.held.offer(unit); });
    }
    if (!offers.unsupported.empty()) throw Unsupported(offers.unsupported);  // it has persisted
    // What comes of this packet's pictures decides which sets hold.
    const bool judged = !s.begun || s.held.waiting() || s.held.doubted();
    if (s.begun && s.prove(units, number, outcome)) {
        refused = false;
    } else {
        const Parsing parsing = s.held.waiting() ? Parsing::EVERY : judged ? Parsing::AT_ONCE : Parsing::LATER;
        outcome = s.follow(units, number, parsing);
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
        last.damaged_units = outcome.damaged_units;
        last.unit_damage = outcome.damage;
        last.sets_refused = refused || offers.damaged_units > 0;
    }
    return outcome.pictures;
}

int Decoder::ahead() const { return state_->ahead; }

std::vector<uint8_t> Decoder::parameter_sets() const { return join(state_->held.units(), state_->length_size); }

std::vector<uint8_t> Decoder::without_sets(const uint8_t* data, size_t size) const {
    bool broken = false;
    std::vector<std::vector<uint8_t>> units;
    for (const NalUnit& unit : split(data, size, state_->length_size, broken)) {
        if (!is_set(unit)) units.emplace_back(unit.data, unit.data + unit.size);
    }
    return join(units, state_->length_size);
}

}  // namespace edgecvar
