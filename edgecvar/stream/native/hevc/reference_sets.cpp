// Short-term reference picture sets (ITU-T H.265, 7.3.7, 7.4.8).
#include "hevc/reference_sets.h"

#include "range.h"

namespace edgecvar::hevc {

namespace {

using Pictures = std::vector<ShortTermPicture>;

void check_size(size_t count) {
    if (count > size_t(MOST_REFERENCES)) throw Damage("reference picture set of " + std::to_string(count));
}

// What the flags say of one picture of the set that another rests on.
struct Choice {
    bool used = false, kept = false;
};

// One picture of the set rested on, moved by deltaRps, where it stays and is on this side.
void move(Pictures& to, const ShortTermPicture& from, int delta, const Choice& choice, bool before) {
    const int poc = from.delta_poc + delta;
    if (choice.kept && (before ? poc < 0 : poc > 0)) {
        to.push_back({within(poc, -32768, 32767, "deltaPoc"), choice.used});
    }
}

// One side of (7-61) and (7-62): the far side of the other set from its farthest on, its own picture, the same side.
Pictures moved(const Pictures& far, const Choice* far_choices, const Pictures& same, const Choice* same_choices,
               int delta, const Choice& own, bool before) {
    Pictures to;
    for (size_t j = far.size(); j-- > 0;) move(to, far[j], delta, far_choices[j], before);
    move(to, {}, delta, own, before);
    for (size_t j = 0; j < same.size(); ++j) move(to, same[j], delta, same_choices[j], before);
    return to;
}

ShortTermSet predicted_set(BitReader& reader, const std::vector<ShortTermSet>& sets, bool in_slice) {
    const uint32_t back = in_slice ? at_most(reader.ue(), uint32_t(sets.size() - 1), "delta_idx_minus1") : 0;
    const ShortTermSet& from = sets[sets.size() - 1 - back];
    const bool negative = reader.flag();
    const int size = int(at_most(reader.ue(), 32767, "abs_delta_rps_minus1")) + 1;
    const int delta = negative ? -size : size;
    const size_t count = from.before.size() + from.after.size();
    Choice choices[MOST_REFERENCES + 1];
    for (size_t j = 0; j <= count; ++j) {
        choices[j].used = reader.flag();
        choices[j].kept = choices[j].used || reader.flag();
    }
    const Choice *first = choices, *second = choices + from.before.size();
    ShortTermSet set;
    set.before = moved(from.after, second, from.before, first, delta, choices[count], true);
    set.after = moved(from.before, first, from.after, second, delta, choices[count], false);
    return set;
}

}  // namespace

ShortTermSet read_short_term_set(BitReader& reader, const std::vector<ShortTermSet>& sets, bool in_slice) {
    ShortTermSet set;
    if (!sets.empty() && reader.flag()) {
        set = predicted_set(reader, sets, in_slice);
    } else {
        const uint32_t before = at_most(reader.ue(), MOST_REFERENCES, "num_negative_pics");
        const uint32_t after = at_most(reader.ue(), MOST_REFERENCES, "num_positive_pics");
        check_size(before + after);
        for (const bool negative : {true, false}) {
            int poc = 0;
            for (uint32_t i = 0; i < (negative ? before : after); ++i) {
                const int step = int(at_most(reader.ue(), 32767, "delta_poc_minus1")) + 1;
                poc = within(negative ? poc - step : poc + step, -32768, 32767, "deltaPoc");
                (negative ? set.before : set.after).push_back({poc, reader.flag()});
            }
        }
    }
    check_size(set.before.size() + set.after.size());
    return set;
}

}  // namespace edgecvar::hevc
