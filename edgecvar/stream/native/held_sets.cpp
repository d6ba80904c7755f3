// Which parameter sets hold, where in mid-stream damage may look like a new one.
#include "held_sets.h"

#include <algorithm>
#include <utility>

#include "h264/units.h"
#include "hevc/units.h"

namespace edgecvar {

namespace {

constexpr int PERSISTS = 2;  // times that a set comes before it holds without a picture that proves it

// But for the first byte, whose nal_ref_idc tells nothing.
bool same(const NalUnit& unit, const std::vector<uint8_t>& bytes) {
    return unit.size == bytes.size() && std::equal(bytes.begin() + 1, bytes.end(), unit.data + 1);
}

template <class Units>
NalUnit unit_of(const std::vector<uint8_t>& bytes) {
    return nal_unit(bytes.data(), bytes.size(), Units::STANDARD);
}

// Keys rise with the types: a VPS comes before an SPS before a PPS.
constexpr int key_of(int type, int id) { return type << 8 | id; }

}  // namespace

template <class Units>
std::vector<std::vector<uint8_t>> HeldSets<Units>::units() const {
    std::vector<std::vector<uint8_t>> units;
    for (const auto& entry : units_) units.push_back(entry.second);
    return units;
}

template <class Units>
NalUnit HeldSets<Units>::unit(int type, int id) const {
    return unit_of<Units>(units_.at(key_of(type, id)));
}

template <class Units>
void HeldSets<Units>::take(const NalUnit& unit) {
    unescape(unit, scratch_);
    Units::read(unit, scratch_, sets_);
    units_[key_of(unit.type, Units::id(unit, scratch_))].assign(unit.data, unit.data + unit.size);
}

template <class Units>
void HeldSets<Units>::hold(int key) {
    const std::vector<uint8_t> bytes = std::move(waiting_.at(key).unit);
    waiting_.erase(key);
    former_.erase(key);
    take(unit_of<Units>(bytes));
}

template <class Units>
bool HeldSets<Units>::offer(const NalUnit& unit) {
    if (!Units::is_read(unit)) {
        take(unit);
        return true;
    }
    unescape(unit, scratch_);
    Waiting fresh;
    try {
        ParameterSets apart;
        Units::read(unit, scratch_, apart);
    } catch (const Unsupported& feature) {
        fresh.unsupported = feature.what();
    }
    const int key = key_of(unit.type, Units::id(unit, scratch_));
    const auto held = units_.find(key);
    if (held != units_.end() && same(unit, held->second)) {
        waiting_.erase(key);
        former_.erase(key);
        return true;
    }
    const auto before = waiting_.find(key);
    if (before != waiting_.end() && same(unit, before->second.unit)) {
        if (++before->second.times < PERSISTS) return false;
        hold(key);
        return true;
    }
    fresh.unit.assign(unit.data, unit.data + unit.size);
    fresh.times = 1;
    waiting_[key] = std::move(fresh);
    return false;
}

template <class Units>
void HeldSets<Units>::offer_for_trial(const std::vector<int>& keys) {
    offered_ = sets_;
    for (const int key : keys) {
        const NalUnit unit = unit_of<Units>(waiting_.at(key).unit);
        unescape(unit, scratch_);
        Units::read(unit, scratch_, offered_);
    }
}

// The sets that the slice names, of those that wait; none where its header cannot be read by them.
template <class Units>
std::vector<int> HeldSets<Units>::asked_for(const NalUnit& slice) {
    std::vector<int> keys;
    for (const auto& entry : waiting_) {
        if (entry.second.unsupported.empty()) keys.push_back(entry.first);
    }
    offer_for_trial(keys);
    unescape(slice, scratch_);
    int named[2] = {0, 0};
    try {
        const SetIds ids = Units::named(slice, scratch_, offered_);
        named[0] = key_of(Units::SEQUENCE, ids.sequence);
        named[1] = key_of(Units::PICTURE, ids.picture);
    } catch (const std::runtime_error&) {  // Damage as well as Unsupported: nothing is proved by it
    }
    keys.erase(std::remove_if(keys.begin(), keys.end(), [&](int key) { return key != named[0] && key != named[1]; }),
               keys.end());
    return keys;
}

template <class Units>
bool HeldSets<Units>::on_trial(const NalUnit& slice) {
    const auto untried = [&](int key) { return !waiting_.at(key).tried; };
    trial_.clear();
    if (std::none_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& entry) { return untried(entry.first) && entry.second.unsupported.empty(); })) {
        return false;
    }
    const std::vector<int> keys = asked_for(slice);
    if (std::none_of(keys.begin(), keys.end(), untried)) return false;
    offer_for_trial(keys);
    sequence_on_trial_ = keys.front() >> 8 == Units::SEQUENCE;
    trial_ = keys;
    return true;
}

template <class Units>
bool HeldSets<Units>::alone_on_trial() const {
    return std::none_of(trial_.begin(), trial_.end(), [&](int key) { return units_.count(key) > 0; });
}

template <class Units>
void HeldSets<Units>::settle(bool whole) {
    if (whole) sets_ = offered_;  // with its objects: pictures have been read by them
    for (const int key : trial_) {
        Waiting& waiting = waiting_.at(key);
        waiting.tried = true;
        if (!whole) continue;
        former_.erase(key);
        if (!sequence_on_trial_ && units_.count(key)) former_[key] = units_[key];
        units_[key] = std::move(waiting.unit);
        waiting_.erase(key);
    }
    trial_.clear();
}

template <class Units>
typename Units::ParameterSets HeldSets<Units>::former() {
    ParameterSets sets = sets_;
    for (const auto& entry : former_) {
        const NalUnit unit = unit_of<Units>(entry.second);
        unescape(unit, scratch_);
        Units::read(unit, scratch_, sets);
    }
    return sets;
}

template <class Units>
void HeldSets<Units>::revert(const ParameterSets& former) {
    sets_ = former;
    for (auto& entry : former_) {
        std::swap(units_[entry.first], entry.second);
        Waiting& waiting = waiting_[entry.first];
        waiting.unit = std::move(entry.second);
        waiting.times = 1;
        waiting.tried = true;
    }
    former_.clear();
}

template <class Units>
void HeldSets<Units>::give_way() {
    while (!waiting_.empty()) hold(waiting_.begin()->first);
}

template class HeldSets<h264::Units>;
template class HeldSets<hevc::Units>;

}  // namespace edgecvar
