// Order counts, reference picture sets and lists, on headers made up here (ITU-T H.265, 8.1.3 and 8.3.1 to 8.3.4).
#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <tuple>

#include "check.h"
#include "damage.h"
#include "hevc/dpb.h"
#include "hevc/parameter_sets.h"
#include "hevc/slice_references.h"

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

void test_order_counts() {
    Stream stream;
    stream.idr();
    CHECK(stream.picture(TRAIL_R, 7) == 7);
    CHECK(stream.picture(TRAIL_R, 14) == 14);
    CHECK(stream.picture(TRAIL_R, 20) == 20);                          // wraps
    CHECK(stream.picture(TRAIL_R, 15, {}, {}, 1) == 15);               // back over the wrap
    CHECK(stream.picture(TRAIL_R, 27, {}, {}, 2) == 27);  // of a higher sub-layer: counts still go by 20,
    CHECK(stream.picture(TRAIL_R, 12, {}, {}, 1) == 28);  // half a span from which is ahead
    CHECK(stream.picture(TRAIL_R, 13, {}, {}, 1) == 13);
    CHECK(stream.picture(TRAIL_N, 26) == 26 && stream.picture(TRAIL_R, 13, {}, {}, 1) == 13);  // nobody's reference
    CHECK(stream.picture(CRA, 27) == 27 && !stream.current.resets_order);
    CHECK(stream.picture(RASL_R, 21) == 21 && stream.picture(RADL_R, 25) == 25);
    CHECK(stream.picture(TRAIL_R, 34) == 34);  // by the CRA picture's, not the leading ones'
    stream.idr();
    CHECK(stream.picture(RADL_R, -3) == -3 && stream.picture(TRAIL_R, 3) == 3);

    Stream far;
    far.sps.log2_max_poc_lsb = 16;
    far.idr();
    int64_t poc = 0;
    for (; poc <= int64_t(1) << 30; poc += 30000) {
        if (poc > 0) far.picture(TRAIL_R, int(poc));
    }
    CHECK(int64_t(far.current.tag->poc) == poc - 30000);
    far.prepare(TRAIL_R, int(poc), {int(poc) - 30000});
    CHECK(refused([&] { far.begin(); }) && refused([&] { far.begin(); }));
    CHECK(far.picture(TRAIL_R, int(poc) - 29999, {int(poc) - 30000}) == poc - 29999 && far.lost == 0);
    far.idr();
}

void test_pyramid() {
    Stream stream;
    stream.idr();
    stream.picture(TRAIL_R, 8, {0});
    stream.picture(TRAIL_R, 4, {0, 8}, {}, 1);
    CHECK((stream.list(0, 2) == Counts{0, 8}) && (stream.list(1, 2) == Counts{8, 0}));
    stream.prepare(TRAIL_N, 2, {0, 4, 8}, {}, 2);
    stream.begin();
    CHECK((stream.list(0, 3) == Counts{0, 4, 8}) && (stream.list(1, 3) == Counts{4, 8, 0}));
    CHECK((stream.list(0, 1) == Counts{0}) && (stream.list(1, 5) == Counts{4, 8, 0, 4, 8}));  // round and round
    CHECK((stream.list(0, 3, {2, 2, 0}) == Counts{8, 8, 0}) && (stream.list(1, 2, {2, 0}) == Counts{0, 4}));
    stream.end();
    stream.prepare(TRAIL_N, 6, {4, 8}, {0}, 2);  // 2 leaves, 0 is not for this one
    stream.begin();
    CHECK((stream.list(0, 4) == Counts{4, 8, 4, 8}) && stream.lost == 0 && stream.dpb.size() == 3);
    stream.end();
    stream.picture(TRAIL_R, 16, {8, 0});
    CHECK((stream.list(0, 2) == Counts{8, 0}) && (stream.list(1, 2) == Counts{8, 0}) && stream.lost == 0);
    CHECK(stream.dpb.size() == 3);
    CHECK((stream.list(0, 2, {1, 2}) == Counts{0, LOST + 16}));  // entries of broken streams: the nearest count
    CHECK((stream.list(0, 2, {1}) == Counts{0, LOST + 16}));
    stream.prepare(TRAIL_R, 24);
    stream.begin();
    CHECK((stream.list(0, 2) == Counts{LOST + 24, LOST + 24}) && stream.dpb.size() == 0);
}

void test_losses() {
    Stream stream;
    stream.idr();
    stream.picture(TRAIL_R, 1, {0});
    stream.picture(TRAIL_R, 4, {2, 1}, {3, 0});  // 2 and 3 did not come
    CHECK(stream.lost == 1 && !stream.current.unreliable);
    CHECK((stream.list(0, 2) == Counts{LOST + 2, 1}) && stream.dpb.size() == 4);
    stream.picture(TRAIL_R, 5, {4, 2}, {1});
    CHECK(stream.lost == 0 && (stream.list(0, 2) == Counts{4, LOST + 2}));  // told once
    stream.picture(TRAIL_R, 6, {5, 3, 0});  // 0 left with picture 5
    CHECK(stream.lost == 2 && (stream.list(0, 3) == Counts{5, LOST + 3, LOST}));
    CHECK(stream.dpb.size() == 4);
    stream.picture(CRA, 8, {}, {6, 7});
    CHECK(stream.lost == 0 && !stream.current.resets_order);
    stream.picture(RASL_N, 7, {6, 8}, {5});
    CHECK(stream.lost == 0 && !stream.current.unreliable && (stream.list(1, 2) == Counts{8, 6}));
    stream.picture(RASL_N, 7, {5, 8});
    CHECK(stream.lost == 1 && !stream.current.unreliable);  // its CRA picture is in midst of a sequence

    Stream layers;  // a sub-layer was taken out
    layers.idr();
    layers.picture(TRAIL_R, 4, {0}, {2, 3});
    layers.picture(TRAIL_R, 8, {4}, {0, 2});
    CHECK(layers.lost == 0 && (layers.list(0, 2) == Counts{4, 4}) && layers.dpb.size() == 3);
}

// Pictures 7 and 5 lie before the CRA picture 8 that is the first of its sequence.
void check_cut(Stream& stream) {
    CHECK(stream.current.resets_order && stream.lost == 0 && !stream.current.unreliable);
    CHECK(stream.picture(RASL_R, 6, {5, 8}, {7}) == 6 && stream.current.unreliable && stream.lost == 0);
    CHECK((stream.list(0, 2) == Counts{LOST + 5, 8}));
    CHECK(stream.picture(RASL_N, 4, {3, 6}, {5, 7, 8}) == 4 && stream.current.unreliable && stream.lost == 0);
    CHECK((stream.list(0, 2) == Counts{LOST + 3, 6}));
    CHECK(stream.picture(TRAIL_R, 12, {8}) == 12 && !stream.current.unreliable && stream.lost == 0);
    CHECK((stream.list(0, 1) == Counts{8}) && stream.dpb.size() == 2);
    CHECK(stream.picture(CRA, 16, {}, {12, 8}) == 16 && !stream.current.resets_order);
    CHECK(stream.picture(RASL_N, 14, {12, 16}) == 14 && !stream.current.unreliable && stream.lost == 0);
    CHECK((stream.list(0, 2) == Counts{12, 16}));
}

void test_random_access() {
    Stream stream;
    stream.picture(CRA, 8, {}, {7, 5});
    CHECK(stream.dpb.size() == 3);
    check_cut(stream);
    stream.dpb.end_of_sequence();
    CHECK(stream.picture(CRA, 8, {}, {7, 5}) == 8);  // 24 without the end
    check_cut(stream);
    CHECK(stream.picture(BLA_W_LP, 8, {}, {7, 5}) == 8);
    check_cut(stream);
    CHECK(stream.picture(BLA_W_LP, 15, {}, {14, 12}) == 15 && stream.lost == 0);  // both are there, of another sequence
    CHECK(stream.picture(RASL_N, 13, {12, 15}) == 13 && (stream.list(0, 2) == Counts{LOST + 12, 15}));
    CHECK(stream.picture(BLA_W_RADL, 3) == 3 && stream.current.resets_order && stream.dpb.size() == 1);
    CHECK(stream.picture(RADL_N, 2, {3}) == 2 && !stream.current.unreliable && stream.lost == 0);
    CHECK((stream.list(1, 1) == Counts{3}));
    stream.idr();
    CHECK(stream.picture(RASL_N, -1, {0}) == -1 && stream.current.unreliable);  // as no sound stream has it
}

void test_starts_without_irap() {
    Stream joined;
    CHECK(joined.picture(TRAIL_R, 5, {4, 2}, {3}) == 5 && joined.lost == 0 && !joined.current.resets_order);
    CHECK((joined.list(0, 2) == Counts{LOST + 4, LOST + 2}));
    joined.picture(TRAIL_R, 6, {5, 3});
    CHECK(joined.lost == 0 && (joined.list(0, 2) == Counts{5, LOST + 3}));  // was cut off, too
    joined.picture(RASL_N, 4, {5}, {6});
    CHECK(joined.current.unreliable);
    joined.picture(TRAIL_R, 8, {7, 6});
    CHECK(joined.lost == 1);
    joined.picture(CRA, 16, {}, {8});
    CHECK(!joined.current.resets_order);
    joined.picture(RASL_N, 12, {8, 16});
    CHECK(!joined.current.unreliable && joined.lost == 0);

    Stream stream;  // a sequence ends, and its successor's IRAP is lost
    stream.idr();
    stream.picture(TRAIL_R, 9, {0});
    stream.dpb.end_of_sequence();
    CHECK(stream.dpb.size() == 0);
    CHECK(stream.picture(TRAIL_R, 1, {0}) == 1 && stream.current.resets_order && stream.lost == 1);
    CHECK((stream.list(0, 1) == Counts{LOST}));
}

void test_long_term() {
    Stream stream;
    stream.idr();
    for (int poc = 1; poc <= 3; ++poc) stream.picture(TRAIL_R, poc, {poc - 1}, poc > 1 ? Counts{0} : Counts{});
    stream.prepare(TRAIL_R, 4, {3}, {2});
    stream.long_term(0, false);
    CHECK(stream.begin() == 4 && stream.lost == 0);
    CHECK((stream.list(0, 4) == Counts{3, LONG + 0, 3, LONG + 0}) && (stream.list(1, 2) == Counts{3, LONG + 0}));
    CHECK((stream.list(0, 1, {1}) == Counts{LONG + 0}));
    stream.end();
    stream.prepare(TRAIL_R, 5, {4, 0}, {2});  // 0 is no short-term picture any more
    stream.long_term(2, false, false);
    stream.begin();
    CHECK(stream.lost == 2 - 1 && (stream.list(0, 3) == Counts{4, LOST + 0, 4}));
    stream.end();

    Stream spans;
    spans.idr();
    for (int poc = 4; poc <= 36; poc += 4) {  // kept: 0 and 20
        spans.prepare(TRAIL_R, poc, {poc - 4}, poc > 24 ? Counts{20} : Counts{});
        if (poc > 4) spans.long_term(-poc, true);  // 0, by most significant bits too
        spans.begin();
        CHECK(spans.lost == 0 && spans.list(0, 2).back() == (poc > 4 ? LONG : 0));
        spans.end();
    }
    spans.prepare(TRAIL_R, 40, {36});
    spans.long_term(4, false);  // 20 by its least significant bits
    spans.long_term(-40, true, false);
    spans.begin();
    CHECK(spans.lost == 0 && (spans.list(0, 2) == Counts{36, LONG + 20}) && spans.dpb.size() == 3);
    spans.end();
    spans.prepare(TRAIL_R, 41, {40});
    spans.long_term(-41 + 20, true);  // 20
    spans.long_term(9, false);  // none
    spans.begin();
    CHECK(spans.lost == 1 && (spans.list(0, 3) == Counts{40, LONG + 20, LONG + LOST + 9}));
    spans.end();
}

void test_broken_sets() {
    Stream stream;
    stream.idr();
    Counts many;
    for (int i = 1; i <= 15; ++i) many.push_back(-i);
    stream.picture(TRAIL_R, 1, many);
    CHECK(stream.lost == 15 && stream.dpb.size() == 16);
    many.push_back(-16);
    stream.prepare(TRAIL_R, 2, many);
    CHECK(refused([&] { stream.begin(); }) && stream.dpb.size() == 16);
    stream.picture(TRAIL_R, 2, {1, -15});
    CHECK(stream.lost == 0 && (stream.list(0, 2) == Counts{1, LOST - 15}));
    stream.picture(TRAIL_R, 2, {1});  // the count of the one before
    stream.picture(TRAIL_R, 3, {2});
    CHECK(stream.dpb.size() == 2 && stream.lost == 0);

    std::mt19937 random(1);
    const auto below = [&](int n) { return int(random() % unsigned(n)); };
    for (int i = 0; i < 20000; ++i) {
        stream.prepare(below(22), below(16), {}, {}, below(3));
        for (int n = below(9); n > 0; --n) stream.header.short_term.before.push_back({-1 - below(20), below(2) == 0});
        for (int n = below(4); n > 0; --n) stream.header.short_term.after.push_back({1 + below(20), below(2) == 0});
        for (int n = below(4); n > 0; --n) stream.long_term(below(16) - 8, below(2) == 0, below(2) == 0);
        stream.begin();
        stream.list(0, below(17), below(2) ? Counts{below(16), below(16)} : Counts{});
        stream.list(1, below(17));
        CHECK(stream.dpb.size() <= 15);
        stream.end();
        CHECK(stream.dpb.size() <= 16);
        if (below(50) == 0) stream.dpb.end_of_sequence();
    }
}

// A.4.2: of the largest pictures fewer are kept.
void test_the_buffer_is_of_the_size_of_pictures() {
    const Counts seven = {6, 5, 4, 3, 2, 1, 0};
    for (const auto& [width, height, most] : {std::tuple{64, 64, 16}, {3840, 2160, 16}, {8192, 4352, 6}}) {
        Stream stream;
        stream.sps.coded_width = width;
        stream.sps.coded_height = height;
        CHECK(stream.sps.most_pictures() == most);
        stream.idr();
        for (int poc = 1; poc < 7; ++poc) stream.picture(TRAIL_R, poc, {poc - 1});
        stream.prepare(TRAIL_R, 7, seven);
        CHECK(refused([&] { stream.finish(); }) == (most == 6));
    }
}

void test_what_is_kept() {
    Stream stream;
    stream.idr();
    stream.picture(TRAIL_R, 4, {0});
    stream.prepare(TRAIL_R, 2, {0, 4});
    stream.begin();
    stream.header.type = SliceType::B;
    stream.header.num_ref_idx[0] = stream.header.num_ref_idx[1] = 2;
    std::vector<Reference> lists[2];
    stream.dpb.build_lists(stream.header, stream.current, lists);
    lists[1][1].long_term = true;
    SliceReferences references = references_of(stream.header, lists);
    CHECK(references.type == SliceType::B && references.weighting == 0 && references.weights.empty());
    CHECK(references.lists[0].size() == 2 && references.lists[1][0] == references.lists[0][1]);
    CHECK(references.lists[1][0]->poc == 4 && !references.long_term[1][0] && references.long_term[1][1]);
    const size_t plain = entries_of(stream.header);
    stream.header.explicit_weights = true;
    stream.header.luma_log2_denom = 6;
    stream.header.chroma_log2_denom = 5;
    stream.header.weights[1][1].weight[2] = -7;
    references = references_of(stream.header, lists);
    CHECK(references.weighting == 1 && references.luma_log2_denom == 6 && references.chroma_log2_denom == 5);
    CHECK(references.weights.size() == 2 && references.weights[1][1].weight[2] == -7);
    CHECK(entries_of(stream.header) > plain);
}

}  // namespace

int main() {
    test_order_counts();
    test_pyramid();
    test_losses();
    test_random_access();
    test_starts_without_irap();
    test_long_term();
    test_broken_sets();
    test_the_buffer_is_of_the_size_of_pictures();
    test_what_is_kept();
    if (failures == 0) std::printf("references of H.265: as they should be\n");
    return failures != 0;
}
