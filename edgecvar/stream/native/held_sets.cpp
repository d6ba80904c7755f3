// Which parameter sets hold, where in mid-stream damage may look like a new one.
#include "held_sets.h"

#include <algorithm>

namespace edgecvar {

namespace {

constexpr int PERSISTS = 2;  // times that a set comes before it holds without a picture that proves it

void read(const NalUnit& unit, const Payload& payload, ParameterSets& sets) {
    unit.type == SPS ? sets.read_sps(payload) : sets.read_pps(payload);
}

NalUnit unit_of(const std::vector<uint8_t>& bytes) { return nal_unit(bytes.data(), bytes.size()); }

// The id stands first in a PPS and after three bytes in an SPS.
int key_of(const NalUnit& unit, const Payload& payload) {
    BitReader bits(payload);
    if (unit.type == SPS) bits.skip(24);
    return unit.type << 8 | int(std::min(bits.ue(), 255u));
}

// But for the header byte, whose nal_ref_idc tells nothing.
bool same(const NalUnit& unit, const std::vector<uint8_t>& bytes) {
    return unit.size == bytes.size() && std::equal(bytes.begin() + 1, bytes.end(), unit.data + 1);
}

}  // namespace

std::vector<std::vector<uint8_t>> HeldSets::units() const {
    std::vector<std::vector<uint8_t>> units;
    for (const auto& entry : units_) units.push_back(entry.second);
    return units;
}

NalUnit HeldSets::unit(NalType type, int id) const { return unit_of(units_.at(type << 8 | id)); }

void HeldSets::take(const NalUnit& unit) {
    unescape(unit, scratch_);
    read(unit, scratch_, sets_);
    units_[key_of(unit, scratch_)].assign(unit.data, unit.data + unit.size);
}

void HeldSets::hold(int key) {
    const std::vector<uint8_t> bytes = std::move(waiting_.at(key).unit);
    waiting_.erase(key);
    former_.erase(key);
    take(unit_of(bytes));
}

bool HeldSets::offer(const NalUnit& unit) {
    unescape(unit, scratch_);
    Waiting fresh;
    try {
        ParameterSets apart;
        read(unit, scratch_, apart);
    } catch (const Unsupported& feature) {
        fresh.unsupported = feature.what();
    }
    const int key = key_of(unit, scratch_);
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

void HeldSets::offer_for_trial(const std::vector<int>& keys) {
    offered_ = sets_;
    for (const int key : keys) {
        const NalUnit unit = unit_of(waiting_.at(key).unit);
        unescape(unit, scratch_);
        read(unit, scratch_, offered_);
    }
}

// The sets that the slice names, of those that wait; none where its header cannot be read by them.
std::vector<int> HeldSets::asked_for(const NalUnit& slice) {
    std::vector<int> keys;
    for (const auto& entry : waiting_) {
        if (entry.second.unsupported.empty()) keys.push_back(entry.first);
    }
    offer_for_trial(keys);
    unescape(slice, scratch_);
    int named[2] = {0, 0};
    try {
        const SliceHeader header = offered_.read_slice_header(slice, scratch_);
        named[0] = SPS << 8 | header.sps->id;
        named[1] = PPS << 8 | header.pps->id;
    } catch (const std::runtime_error&) {  // Damage as well as Unsupported: nothing is proved by it
    }
    keys.erase(std::remove_if(keys.begin(), keys.end(), [&](int key) { return key != named[0] && key != named[1]; }),
               keys.end());
    return keys;
}

bool HeldSets::on_trial(const NalUnit& slice) {
    const auto untried = [&](int key) { return !waiting_.at(key).tried; };
    trial_.clear();
    if (std::none_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& entry) { return untried(entry.first) && entry.second.unsupported.empty(); })) {
        return false;
    }
    const std::vector<int> keys = asked_for(slice);
    if (std::none_of(keys.begin(), keys.end(), untried)) return false;
    offer_for_trial(keys);
    sequence_on_trial_ = keys.front() >> 8 == SPS;
    trial_ = keys;
    return true;
}

bool HeldSets::alone_on_trial() const {
    return std::none_of(trial_.begin(), trial_.end(), [&](int key) { return units_.count(key) > 0; });
}

void HeldSets::settle(bool whole) {
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

ParameterSets HeldSets::former() {
    ParameterSets sets = sets_;
    for (const auto& entry : former_) {
        const NalUnit unit = unit_of(entry.second);
        unescape(unit, scratch_);
        read(unit, scratch_, sets);
    }
    return sets;
}

void HeldSets::revert(const ParameterSets& former) {
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

void HeldSets::give_way() {
    while (!waiting_.empty()) hold(waiting_.begin()->first);
}

}  // namespace edgecvar
