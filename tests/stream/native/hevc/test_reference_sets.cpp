// Reference picture sets that are broken or large, and what is kept of references (ITU-T H.265, 8.3.2 and A.4.2).
#include <algorithm>
#include <cstdio>
#include <random>
#include <tuple>

#include "hevc/slice_references.h"
#include "reference_stream.h"

namespace {

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
    test_broken_sets();
    test_the_buffer_is_of_the_size_of_pictures();
    test_what_is_kept();
    if (failures == 0) std::printf("reference sets of H.265: as they should be\n");
    return failures != 0;
}
