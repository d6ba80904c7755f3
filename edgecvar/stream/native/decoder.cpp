// Packets in, parsed pictures out: NAL units are sorted, parameter sets proved and followed, damage accounted for.
#include "decoder.h"

#include <algorithm>
#include <string>

#include "h264/units.h"
#include "held_sets.h"
#include "hevc/units.h"
#include "parsing_plan.h"

namespace edgecvar {

namespace {

constexpr const char* REFUSED = "parameter set that its pictures do not follow";

// What came of one packet; damage in it is of single units.
struct Outcome {
    std::vector<std::shared_ptr<ParsedPicture>> pictures;
    std::string damage, unsupported;  // the first of each
    int damaged_units = 0, slices = 0;
    int extra_units = 0;  // of other layers than the base

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

template <class Units>
class PacketDecoder : public Decoder {
public:
    PacketDecoder(Extra extradata, int threads, bool on_demand);

    std::vector<std::shared_ptr<ParsedPicture>> parse(const uint8_t* data, size_t size, uint32_t number) override;
    int ahead() const override { return plan_.ahead(); }
    std::vector<uint8_t> parameter_sets() const override { return join(held_.units(), length_size_); }
    std::vector<uint8_t> without_sets(const uint8_t* data, size_t size) const override;

private:
    using Gatherer = typename Units::PictureGatherer;
    using ParameterSets = typename Units::ParameterSets;

    std::vector<NalUnit> units_of(const uint8_t* data, size_t size, bool& broken) const {
        return split(data, size, length_size_, broken, Units::STANDARD);
    }
    Outcome read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by, Parsing parsing);
    void read_unit(const NalUnit& unit, Outcome& outcome);
    bool prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome);
    Outcome follow(const std::vector<NalUnit>& units, uint32_t number, Parsing parsing);
    void watch(const Outcome& outcome);

    ParsingPlan plan_;
    HeldSets<Units> held_;
    Gatherer gatherer_;
    int length_size_ = 0;
    bool begun_ = false;   // a picture has been given out
    int damaged_run_ = 0;  // damaged pictures in a row, while a set waits
    int strange_run_ = 0;  // packets with what is not parsed here, in a row
};

template <class Units>
PacketDecoder<Units>::PacketDecoder(Extra extradata, int threads, bool on_demand)
    : plan_(threads, on_demand, &Units::parser), gatherer_(plan_) {
    const Extradata record = read_extradata(extradata.data, extradata.size, Units::STANDARD);
    length_size_ = record.length_size;
    for (const std::vector<uint8_t>& bytes : record.units) {
        const NalUnit unit = nal_unit(bytes.data(), bytes.size(), Units::STANDARD);
        if (Units::is_extra(unit)) continue;
        if (Units::is_set(unit)) held_.take(unit);
        const char* const unsupported = Units::unsupported(unit);
        if (unsupported && !Units::has_picture(unit)) throw Unsupported(unsupported);
    }
}

template <class Units>
void PacketDecoder<Units>::read_unit(const NalUnit& unit, Outcome& outcome) {
    if (Units::is_extra(unit)) {
        ++outcome.extra_units;
        return;
    }
    outcome.slices += Units::has_picture(unit);
    if (const char* const unsupported = Units::unsupported(unit)) throw Unsupported(unsupported);
    if (Units::is_set(unit) && !begun_) held_.take(unit);
    if (Units::is_message(unit)) gatherer_.add_message(unit);
    if (Units::is_slice(unit)) gatherer_.add_slice(unit, outcome.pictures);
    if (Units::ends_sequence(unit)) gatherer_.end_sequence(outcome.pictures);
}

// One pass over a packet: parameter sets are taken as they come until a picture has been given out.
template <class Units>
Outcome PacketDecoder<Units>::read(const std::vector<NalUnit>& units, uint32_t number, ParameterSets& by,
                                   Parsing parsing) {
    Outcome outcome;
    gatherer_.begin(by, number, parsing);
    for (const NalUnit& unit : units) {
        outcome.guarded([&] { read_unit(unit, outcome); });
        const bool expected = !begun_ || Units::expects_unsupported(gatherer_);
        if (expected && !outcome.unsupported.empty()) throw Unsupported(outcome.unsupported);
    }
    outcome.guarded([&] { gatherer_.finish(outcome.pictures); });
    return outcome;
}

// Reads a packet by parameter sets that wait, if it is the first to use them; false, and nothing has changed, unless
// that leaves nothing open.
template <class Units>
bool PacketDecoder<Units>::prove(const std::vector<NalUnit>& units, uint32_t number, Outcome& outcome) {
    const auto slice = std::find_if(units.begin(), units.end(), [](const NalUnit& unit) {
        return Units::is_slice(unit) && !Units::is_extra(unit);
    });
    if (slice == units.end() || !held_.on_trial(*slice)) return false;
    const typename Gatherer::Place before = gatherer_.place();
    outcome = read(units, number, held_.offered(), Parsing::EVERY);
    const bool first = held_.alone_on_trial() && !outcome.pictures.empty();  // of ids of its own, however damaged
    const bool begins = !held_.sequence_on_trial() || (!outcome.pictures.empty() && outcome.pictures[0]->random_access);
    const bool sound = (outcome.whole() || first) && begins;
    if (!sound) gatherer_.go_back(before);
    held_.settle(sound);
    return sound;
}

// Reads a packet by the sets that hold, or where it is whole by them alone by those that held before.
template <class Units>
Outcome PacketDecoder<Units>::follow(const std::vector<NalUnit>& units, uint32_t number, Parsing parsing) {
    if (!held_.doubted()) return read(units, number, held_.sets(), parsing);
    const typename Gatherer::Place before = gatherer_.place();
    Outcome outcome = read(units, number, held_.sets(), parsing);
    if (outcome.slices == 0 || outcome.whole()) return outcome;
    const typename Gatherer::Place after = gatherer_.place();
    gatherer_.go_back(before);
    ParameterSets former = held_.former();
    Outcome other = read(units, number, former, Parsing::EVERY);
    if (!other.whole()) {
        gatherer_.go_back(after);
        return outcome;
    }
    held_.revert(former);
    other.note(REFUSED);
    return other;
}

// What persists is no damage. Where no set waits nothing hangs on it, and pictures may still have to be parsed.
template <class Units>
void PacketDecoder<Units>::watch(const Outcome& outcome) {
    constexpr int PERSISTS = 32;
    strange_run_ = outcome.unsupported.empty() ? 0 : strange_run_ + 1;
    if (strange_run_ >= PERSISTS) throw Unsupported(outcome.unsupported);
    if (!held_.waiting()) {
        damaged_run_ = 0;
        return;
    }
    if (outcome.pictures.empty() && outcome.slices > 0) ++damaged_run_;
    for (const auto& picture : outcome.pictures) {
        if (picture->kind == SliceType::I) continue;  // of which nothing is known
        damaged_run_ = picture->whole ? 0 : damaged_run_ + 1;
    }
    if (damaged_run_ < PERSISTS) return;
    damaged_run_ = 0;
    held_.give_way();
}

template <class Units>
std::vector<std::shared_ptr<ParsedPicture>> PacketDecoder<Units>::parse(const uint8_t* data, size_t size,
                                                                        uint32_t number) {
    bool broken = false, refused = false;
    const std::vector<NalUnit> units = units_of(data, size, broken);
    Outcome outcome, offers;
    for (const NalUnit& unit : units) {
        if (!begun_ || !Units::is_set(unit) || Units::is_extra(unit)) continue;
        offers.guarded([&] { refused |= !held_.offer(unit); });
    }
    if (!offers.unsupported.empty()) throw Unsupported(offers.unsupported);  // it has persisted
    // What comes of this packet's pictures decides which sets hold.
    const bool judged = !begun_ || held_.waiting() || held_.doubted();
    if (begun_ && prove(units, number, outcome)) {
        refused = false;
    } else {
        const Parsing parsing = held_.waiting() ? Parsing::EVERY : judged ? Parsing::AT_ONCE : Parsing::LATER;
        outcome = follow(units, number, parsing);
    }
    outcome.add(offers);
    if (refused) outcome.note(REFUSED);
    watch(outcome);
    if (outcome.pictures.empty() && outcome.slices > 0) {
        throw Damage(outcome.damage.empty() ? "no slice that belongs to a picture" : outcome.damage);
    }
    if (broken) outcome.note("NAL unit lengths lead out of the packet");
    if (!outcome.pictures.empty()) {
        begun_ = true;
        ParsedPicture& last = *outcome.pictures.back();
        last.damaged_units = outcome.damaged_units;
        last.unit_damage = outcome.damage;
        last.extra_units = outcome.extra_units;
        last.sets_refused = refused || offers.damaged_units > 0;
    }
    return outcome.pictures;
}

template <class Units>
std::vector<uint8_t> PacketDecoder<Units>::without_sets(const uint8_t* data, size_t size) const {
    bool broken = false;
    std::vector<std::vector<uint8_t>> units;
    for (const NalUnit& unit : units_of(data, size, broken)) {
        if (!Units::is_set(unit)) units.emplace_back(unit.data, unit.data + unit.size);
    }
    return join(units, length_size_);
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(Standard standard, Extra extradata, int threads, bool on_demand) {
    if (standard == Standard::H264) {
        return std::make_unique<PacketDecoder<h264::Units>>(extradata, threads, on_demand);
    }
    return std::make_unique<PacketDecoder<hevc::Units>>(extradata, threads, on_demand);
}

}  // namespace edgecvar
