// A stream of one-slice pictures, by headers made up in the test.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "check.h"
#include "damage.h"
#include "hevc/dpb.h"
#include "hevc/parameter_sets.h"

using namespace edgecvar;
using namespace edgecvar::hevc;
using Counts = std::vector<int>;

namespace {

constexpr int LONG = 1000;  // added to the order count of a long-term entry
constexpr int LOST = 5000;  // and of a lost one

bool refused(const std::function<void()>& step) {
    try {
        step();
    } catch (const Damage&) {
        return true;
    }
    return false;
}

// A stream of one-slice pictures, numbered as they come; slice_pic_order_cnt_lsb has 4 bits.
struct Stream {
    Sps sps;
    Dpb dpb;
    SliceHeader header;
    CurrentPicture current;
    int count = 0, lost = 0;

    // A picture of this order count that may refer to those of `used`, nearest first, and keeps those of `kept` too.
    SliceHeader& prepare(int nal_type, int poc, const Counts& used = {}, const Counts& kept = {}, int temporal_id = 0) {
        header = SliceHeader();
        header.sps = std::make_shared<const Sps>(sps);
        header.nal_type = nal_type;
        header.temporal_id = temporal_id;
        header.poc_lsb = poc & ((1 << sps.log2_max_poc_lsb) - 1);
        const auto refer = [&](int to, bool is_used) {
            (to < poc ? header.short_term.before : header.short_term.after).push_back({to - poc, is_used});
        };
        for (int to : used) refer(to, true);
        for (int to : kept) refer(to, false);
        return header;
    }
    int begin() {
        current = dpb.begin(header, uint32_t(count++), lost);
        return current.tag->poc;
    }
    void end() { dpb.end(current, std::make_shared<const MotionStore>()); }
    int finish() {
        const int poc = begin();
        end();
        return poc;
    }
    int picture(int nal_type, int poc, const Counts& used = {}, const Counts& kept = {}, int temporal_id = 0) {
        prepare(nal_type, poc, used, kept, temporal_id);
        return finish();
    }
    void idr() { CHECK(picture(IDR_W_RADL, 0) == 0 && current.resets_order && lost == 0 && dpb.size() == 1); }
    void long_term(int poc, bool has_msb, bool used = true) { header.long_term.push_back({poc, has_msb, used}); }

    // Order counts of a list's entries.
    Counts list(int which, int active, const Counts& entries = {}) {
        header.num_ref_idx[which] = active;
        header.list_entries[which] = entries;
        std::vector<Reference> lists[2];
        dpb.build_lists(header, current, lists);
        CHECK(int(lists[0].size()) == header.num_ref_idx[0] && int(lists[1].size()) == header.num_ref_idx[1]);
        Counts counts;
        for (const Reference& entry : lists[which]) {
            CHECK(entry.tag && entry.tag->lost == !entry.motion);
            counts.push_back(entry.tag->poc + (entry.long_term ? LONG : 0) + (entry.tag->lost ? LOST : 0));
        }
        return counts;
    }
};

}  // namespace
