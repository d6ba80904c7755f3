// Order counts and lists, on headers made up here (ITU-T H.265, 8.1.3, 8.3.1 and 8.3.4).
#include <cstdio>

#include "reference_stream.h"

namespace {

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

}  // namespace

int main() {
    test_order_counts();
    test_pyramid();
    test_losses();
    test_random_access();
    test_starts_without_irap();
    test_long_term();
    if (failures == 0) std::printf("references of H.265: as they should be\n");
    return failures != 0;
}
