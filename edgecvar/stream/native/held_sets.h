// Which parameter sets hold, where in mid-stream damage may look like a new one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nal.h"

namespace edgecvar {

// A set that arrives before the first picture holds at once. Later one that differs waits: it holds once the picture
// that first uses it is whole by it (with a new SPS one at which decoding may begin), or once it has persisted. One of an id of its own
// need not be proved: nothing else reads that picture. As an I picture proves little of a PPS, the one before is kept
// until the new one comes again. What is not read, as a VPS, holds at once. `Units` is h264/units.h or hevc/units.h.
template <class Units>
class HeldSets {
public:
    using ParameterSets = typename Units::ParameterSets;

    ParameterSets& sets() { return sets_; }
    // All NAL units that hold, VPS before SPS before PPS.
    std::vector<std::vector<uint8_t>> units() const;

    // The one of a type and id that holds; it has been taken.
    NalUnit unit(int type, int id) const;

    // Damage where it cannot be read, Unsupported where it is not parsed here.
    void take(const NalUnit& unit);
    // A set in mid-stream; false where it waits. Damage where it cannot be read, Unsupported where it persists and is
    // not parsed here.
    bool offer(const NalUnit& unit);

    // Whether the slice is the first to use a set that waits: a trial begins.
    bool on_trial(const NalUnit& slice);
    // What the trial is of: sets that wait in place of those that hold, an SPS among them or not.
    ParameterSets& offered() { return offered_; }
    bool sequence_on_trial() const { return sequence_on_trial_; }
    // Whether nothing holds by the ids of what is on trial: the slice is read by it, or not at all.
    bool alone_on_trial() const;
    // The trial ends: what was offered holds from now on, or goes on waiting until it persists.
    void settle(bool whole);

    // Whether a PPS holds in place of a former one, and nothing but a picture speaks for it.
    bool doubted() const { return !former_.empty(); }
    // The sets with the former ones, which revert() lets hold again.
    ParameterSets former();
    void revert(const ParameterSets& former);

    bool waiting() const { return !waiting_.empty(); }
    // Everything that waits holds from now on; Unsupported where it is not parsed here.
    void give_way();

private:
    struct Waiting {
        std::vector<uint8_t> unit;
        std::string unsupported;  // why it is not parsed here
        int times = 0;            // it came, nothing else of its kind and id in between
        bool tried = false;
    };

    void hold(int key);
    void offer_for_trial(const std::vector<int>& keys);
    std::vector<int> asked_for(const NalUnit& slice);

    ParameterSets sets_, offered_;
    std::map<int, std::vector<uint8_t>> units_;  // those that hold, by type << 8 | id
    std::map<int, Waiting> waiting_;             // by the same keys
    std::map<int, std::vector<uint8_t>> former_;
    std::vector<int> trial_;                     // keys
    bool sequence_on_trial_ = false;
    Payload scratch_;
};

}  // namespace edgecvar
