// Order counts, marking, gaps and reference lists, on headers made up here (ITU-T H.264, 8.2.1, 8.2.4, 8.2.5).
#include <cstdio>
#include <string>

#include "check.h"
#include "damage.h"
#include "h264/dpb.h"

using namespace edgecvar;
using namespace edgecvar::h264;
using Numbers = std::vector<int>;
using Modifications = std::vector<ListModification>;
using Marking = std::vector<MarkingCommand>;

namespace {

// A stream of one-slice pictures, numbered as they come; frame_num has 4 bits, as pic_order_cnt_lsb has.
struct Stream {
    Sps sps;
    Dpb dpb;
    SliceHeader header;
    CurrentPicture current;
    int count = 0, lost = 0;

    explicit Stream(int refs = 4, int poc_type = 0) {
        sps.max_num_ref_frames = refs;
        sps.poc_type = poc_type;
    }

    int begin(SliceType type, int frame_num, int poc_lsb, int ref_idc, int active = 4, const Marking& marking = {}) {
        header = SliceHeader();
        header.sps = std::make_shared<const Sps>(sps);
        header.type = type;
        header.frame_num = frame_num;
        header.poc_lsb = poc_lsb;
        header.nal_ref_idc = ref_idc;
        header.num_ref_idx[0] = type == SliceType::I ? 0 : active;
        header.num_ref_idx[1] = type == SliceType::B ? active : 0;
        header.marking = marking;
        header.adaptive_marking = !marking.empty();
        return start();
    }
    int start() {
        current = dpb.begin(header, uint32_t(count++), lost);
        return current.tag->poc;
    }
    void end() { dpb.end(header, current, std::make_shared<const MotionStore>()); }
    int idr(bool long_term = false, int poc_lsb = 0) {
        header = SliceHeader();
        header.sps = std::make_shared<const Sps>(sps);
        header.idr = true;
        header.nal_ref_idc = 3;
        header.long_term_reference = long_term;
        header.poc_lsb = poc_lsb;
        const int poc = start();
        end();
        return poc;
    }
    int p(int frame_num, int poc_lsb, const Marking& marking = {}) {
        const int poc = begin(SliceType::P, frame_num, poc_lsb, 1, 4, marking);
        end();
        return poc;
    }
    // Packet numbers of a list's entries, -1 for lost ones; long-term ones count from 100.
    Numbers list(int which, const Modifications& modifications = {}) {
        header.modifications[which] = modifications;
        std::vector<Reference> lists[2];
        dpb.build_lists(header, current, lists);
        CHECK(int(lists[0].size()) == header.num_ref_idx[0] && int(lists[1].size()) == header.num_ref_idx[1]);
        Numbers numbers;
        for (const Reference& entry : lists[which]) {
            CHECK(entry.tag->lost == !entry.motion);
            numbers.push_back(entry.tag->lost ? -1 : int(entry.tag->number) + (entry.long_term ? 100 : 0));
        }
        return numbers;
    }
    // The list of a P picture that would come next.
    Numbers next_p(int frame_num, int active = 4, const Modifications& modifications = {}) {
        Stream trial = *this;
        trial.begin(SliceType::P, frame_num, 0, 0, active);
        return trial.list(0, modifications);
    }
};

void test_order_by_lsb() {
    Stream stream;
    CHECK(stream.idr() == 0);
    CHECK(stream.p(1, 8) == 8);
    CHECK(stream.begin(SliceType::B, 2, 4, 0) == 4);
    CHECK(stream.p(2, 0) == 16);                              // wraps
    CHECK(stream.begin(SliceType::B, 3, 12, 0) == 12);        // back over the wrap
    CHECK(stream.begin(SliceType::B, 3, 14, 0) == 14);
    stream.header.delta_poc_bottom = -3;
    CHECK(stream.start() == 11 && stream.current.top == 14 && stream.current.bottom == 11);
    CHECK(stream.p(3, 6, {{5, 0, 0}}) == 22);
    CHECK(stream.current.resets_order && stream.current.tag->poc == 0);
    CHECK(stream.begin(SliceType::P, 1, 2, 1, 4, {{5, 0, 0}}) == 2 && stream.lost == 0);  // counts anew from 0
    stream.header.delta_poc_bottom = -1;
    CHECK(stream.start() == 1);
    stream.end();
    CHECK(stream.current.top == 1 && stream.current.tag->poc == 0);
    CHECK(stream.begin(SliceType::P, 1, 10, 1) == -6);        // prevPicOrderCntLsb is 1: 10 is nearer below
    CHECK(stream.idr(false, 3) == 3);
}

void test_order_by_cycle() {
    Stream stream(4, 1);
    stream.sps.offset_for_ref_frame = {2, 4};
    stream.sps.offset_for_non_ref_pic = -1;
    stream.sps.offset_for_top_to_bottom = 1;
    CHECK(stream.idr() == 0);
    CHECK(stream.p(1, 0) == 2 && stream.p(2, 0) == 6 && stream.p(3, 0) == 8);
    CHECK(stream.begin(SliceType::B, 4, 0, 0) == 7);          // that of frame 3 and the offset
    stream.header.delta_pic_order_cnt[0] = -2;
    CHECK(stream.start() == 5);
    stream.header.delta_pic_order_cnt[1] = -4;
    CHECK(stream.start() == 2);
    for (int frame_num = 4; frame_num < 16; ++frame_num) stream.p(frame_num, 0);
    CHECK(stream.p(0, 0) == 48);                              // FrameNumOffset 16
    CHECK(stream.p(1, 0, {{5, 0, 0}}) == 50 && stream.p(1, 0) == 2);

    Stream huge(4, 1);
    huge.sps.offset_for_ref_frame = {INT32_MAX};
    huge.idr();
    bool refused = false;
    try {
        huge.p(1, 0);
    } catch (const Damage&) {
        refused = true;
    }
    CHECK(refused && huge.idr() == 0);
}

void test_order_by_frame_num() {
    Stream stream(2, 2);
    CHECK(stream.idr() == 0 && stream.p(1, 0) == 2);
    CHECK(stream.begin(SliceType::P, 2, 0, 0) == 3 && stream.p(2, 0) == 4);
    stream.sps.gaps_in_frame_num_allowed = true;
    CHECK(stream.p(1, 0) == 34 && stream.lost == 0);          // 14 inferred frames, over the wrap
    CHECK(stream.p(15, 0) == 62 && stream.p(0, 0) == 64);
    CHECK(stream.p(1, 0, {{5, 0, 0}}) == 66 && stream.p(1, 0) == 2);
    CHECK(stream.idr() == 0);
}

void test_sliding_window() {
    Stream stream(3);
    stream.idr();
    for (int i = 1; i < 20; ++i) {
        const Numbers expected{i - 1, i > 1 ? i - 2 : -1, i > 2 ? i - 3 : -1, -1};
        CHECK(stream.next_p(i & 15) == expected);
        stream.p(i & 15, 0);
    }
    CHECK((stream.next_p(4, 2) == Numbers{19, 18}));
    stream.begin(SliceType::P, 4, 0, 0);
    stream.end();                                              // no reference: not kept
    CHECK((stream.next_p(4, 2) == Numbers{19, 18}));
    stream.p(3, 0);                                            // a frame_num twice: the older one goes
    CHECK((stream.next_p(4, 3) == Numbers{21, 18, 17}));

    Stream none(0);
    none.idr();
    none.p(1, 0);
    CHECK((none.next_p(2, 2) == Numbers{1, -1}));
    none.dpb.clear();
    CHECK((none.next_p(2, 1) == Numbers{-1}));
}

void test_commands() {
    Stream stream(4);
    stream.idr();
    for (int i = 1; i < 4; ++i) stream.p(i, 0);                // 0 1 2 3
    stream.p(4, 0, {{1, 2, 0}});                               // drops frame_num 2
    CHECK((stream.next_p(5) == Numbers{4, 3, 1, 0}));
    stream.p(5, 0, {{3, 4, 1}, {3, 5, 0}});                    // 1 becomes long-term 1, 0 long-term 0
    CHECK((stream.next_p(6) == Numbers{5, 4, 100, 101}));
    stream.p(6, 0, {{3, 2, 1}});                               // long-term 1 is given to 4
    CHECK((stream.next_p(7) == Numbers{6, 5, 100, 104}));
    stream.p(7, 0, {{2, 0, 0}, {2, 7, 0}, {1, 13, 0}, {3, 9, 1}});  // the last three name nothing
    CHECK((stream.next_p(8) == Numbers{7, 6, 5, 104}));
    stream.p(8, 0, {{1, 3, 0}, {6, 3, 0}});
    CHECK((stream.next_p(9) == Numbers{7, 6, 104, 108}));
    stream.p(9, 0, {{4, 2, 0}});
    CHECK((stream.next_p(10) == Numbers{9, 7, 6, 104}));
    stream.p(10, 0, {{4, 0, 0}});
    CHECK((stream.next_p(11) == Numbers{10, 9, 7, 6}));
    stream.p(11, 0, {{5, 0, 0}, {6, 2, 0}});
    CHECK((stream.next_p(1, 2) == Numbers{111, -1}));
    stream.p(1, 0);
    CHECK(stream.lost == 0 && (stream.next_p(2, 3) == Numbers{12, 111, -1}));
    stream.idr(true);
    CHECK((stream.next_p(1, 2) == Numbers{113, -1}));
    Stream full(1);                                            // a broken stream: no room for a short-term frame
    full.idr(true);
    full.p(1, 0);
    CHECK((full.next_p(2, 2) == Numbers{1, -1}));
}

void test_gaps() {
    Stream stream(3);
    stream.p(7, 0);                                            // begins in mid-stream: nothing is missed
    CHECK(stream.lost == 0);
    stream.p(9, 2);
    CHECK(stream.lost == 1 && (stream.next_p(10) == Numbers{1, -1, 0, -1}));
    CHECK(stream.dpb.order_unknown());
    stream.begin(SliceType::B, 10, 1, 0, 2);
    CHECK((stream.list(0) == Numbers{0, 1}) && (stream.list(1) == Numbers{1, 0}));  // without the inferred one
    stream.end();
    stream.p(10, 4);                                           // after a picture of the same frame_num
    CHECK(stream.lost == 0);
    stream.p(9, 6);
    CHECK(stream.lost == 14 && (stream.next_p(10) == Numbers{4, -1, -1, -1}));
    stream.p(10, 8);
    stream.p(11, 10);
    CHECK(!stream.dpb.order_unknown() && (stream.next_p(12, 3) == Numbers{6, 5, 4}));
    stream.sps.gaps_in_frame_num_allowed = true;
    stream.p(14, 12);
    CHECK(stream.lost == 0 && (stream.next_p(15, 3) == Numbers{7, -1, -1}));
    CHECK((stream.next_p(15, 2, {{0, 1}}) == Numbers{7, -1}));

    Stream counted(3, 2);                                      // order counts of inferred frames are known
    counted.idr();
    counted.p(2, 0);
    CHECK(!counted.dpb.order_unknown());
    counted.begin(SliceType::B, 3, 0, 0, 3);
    CHECK((counted.list(0) == Numbers{1, -1, 0}) && counted.lost == 0);
    counted.begin(SliceType::P, 3, 0, 0, 4);
    std::vector<Reference> lists[2];
    counted.dpb.build_lists(counted.header, counted.current, lists);
    CHECK(lists[0][1].tag->poc == 2 && lists[0][3].tag->poc == 4 && lists[0][3].tag->lost);
}

void test_lists() {
    Stream stream(5);
    stream.idr();                                              // number 0, order count 0
    stream.p(1, 4);                                            // 1: 4
    stream.p(2, 8, {{3, 2, 0}});                               // 2: 8; 0 becomes long-term
    stream.p(3, 12);                                           // 3: 12
    stream.begin(SliceType::B, 4, 10, 0);
    CHECK((stream.list(0) == Numbers{2, 1, 3, 100}) && (stream.list(1) == Numbers{3, 2, 1, 100}));
    stream.begin(SliceType::B, 4, 14, 0, 1);
    CHECK((stream.list(0) == Numbers{3}) && (stream.list(1) == Numbers{2}));  // equal: swapped, then cut
    stream.begin(SliceType::B, 4, 10, 0, 2);
    CHECK((stream.list(1, {{2, 0}, {0, 3}}) == Numbers{100, 1}));

    CHECK((stream.next_p(4) == Numbers{3, 2, 1, 100}));
    CHECK((stream.next_p(4, 4, {{0, 3}}) == Numbers{1, 3, 2, 100}));
    CHECK((stream.next_p(4, 4, {{0, 3}, {1, 1}}) == Numbers{1, 2, 3, 100}));
    CHECK((stream.next_p(4, 4, {{2, 0}, {0, 1}}) == Numbers{100, 3, 2, 1}));
    CHECK((stream.next_p(4, 3, {{0, 2}, {0, 16}}) == Numbers{2, 2, 3}));      // a picture twice
    CHECK((stream.next_p(4, 2, {{2, 0}}) == Numbers{100, 3}));                // from behind the list's end
    CHECK((stream.next_p(4, 3, {{0, 4}}) == Numbers{-1, 3, 2}));              // 0 is no short-term frame any more
    CHECK((stream.next_p(4, 3, {{2, 9}}) == Numbers{-1, 3, 2}));
    CHECK((stream.next_p(4, 1, {{0, 1}, {0, 1}, {0, 1}}) == Numbers{3}));     // more commands than entries
    CHECK((stream.next_p(4, 6, {{0, 2}}) == Numbers{2, 3, 1, 100, -1, -1}));

    Stream wrapped(4);
    wrapped.begin(SliceType::I, 14, 0, 1);
    wrapped.end();
    for (int i = 1; i < 4; ++i) wrapped.p((14 + i) & 15, 2 * i);              // frame_num 14 15 0 1
    CHECK((wrapped.next_p(2) == Numbers{3, 2, 1, 0}));
    CHECK((wrapped.next_p(2, 4, {{0, 4}, {1, 2}}) == Numbers{0, 2, 3, 1}));
    CHECK((wrapped.next_p(2, 2, {{1, 12}}) == Numbers{0, 3}));
}

}  // namespace

int main() {
    test_order_by_lsb();
    test_order_by_cycle();
    test_order_by_frame_num();
    test_sliding_window();
    test_commands();
    test_gaps();
    test_lists();
    if (failures == 0) std::printf("references: as they should be\n");
    return failures != 0;
}
