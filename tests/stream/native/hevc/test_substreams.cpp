// Substreams side by side: how a picture is cut into them, who waits for whom, where levels go (ITU-T H.265, 7.3.8.1).
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "hevc/crew.h"
#include "hevc/level_buffer.h"
#include "hevc/progress.h"
#include "hevc/substream_plan.h"

using namespace edgecvar;
using namespace edgecvar::hevc;

// A picture of 4x3 coding tree blocks, cut into tiles of two columns each, or with wavefronts.
static std::shared_ptr<Pps> small_pps(bool tiles) {
    auto pps = std::make_shared<Pps>();
    pps->tiles_enabled = tiles;
    pps->entropy_coding_sync = !tiles;
    if (tiles) pps->column_starts = {0, 2};
    for (int place = 0; place < 12; ++place) {
        const int inside = place % 6;
        const int raster = tiles ? inside / 2 * 4 + inside % 2 + (place < 6 ? 0 : 2) : place;
        pps->ctb_tile_to_raster.push_back(raster);
        pps->tile_id.push_back(tiles && place >= 6);
    }
    pps->ctb_raster_to_tile.resize(12);
    for (int place = 0; place < 12; ++place)
        pps->ctb_raster_to_tile[size_t(pps->ctb_tile_to_raster[size_t(place)])] = place;
    return pps;
}

static std::string refusal(const TileScan& scan, const hevc::GatheredPicture& picture, size_t segment,
                           std::vector<hevc::Part>& parts) {
    try {
        append_parts(scan, picture, segment, parts);
    } catch (const Damage& error) {
        return error.what();
    }
    return "";
}

static void test_parts() {
    auto sps = std::make_shared<Sps>();
    sps->coded_width = 64;
    sps->coded_height = 48;
    for (const bool tiles : {false, true}) {
        const std::shared_ptr<Pps> pps = small_pps(tiles);
        TileScan scan;
        scan.start(*sps, *pps);
        hevc::GatheredPicture picture;
        picture.segments.resize(2);
        picture.count = 2;
        for (Segment& segment : picture.segments) {
            segment.header.sps = sps;
            segment.header.pps = pps;
            segment.header.data_position = 16;
            segment.payload.size = 100;
        }
        picture.segments[0].header.entry_points = {20};
        picture.segments[1].header.segment_address = 9;
        std::vector<hevc::Part> parts;
        CHECK(refusal(scan, picture, 0, parts).empty());
        CHECK(parts.size() == 2 && parts[0].begin == 2 && parts[0].end == 20 && !parts[0].last);
        CHECK(parts[1].first == (tiles ? 6 : 4) && parts[0].limit == parts[1].first && parts[1].limit == 12);
        CHECK(parts[1].last && parts[1].end == 100);
        // In tile scan the second segment, at 9 in raster scan, comes before the second tile.
        const std::string refused = refusal(scan, picture, 1, parts);
        CHECK(tiles ? refused == "slice segment out of order" : refused.empty() && parts[1].limit == 9);
        parts.clear();
        picture.segments[0].header.entry_points = {20, 20};
        CHECK(refusal(scan, picture, 0, parts) == "entry point out of range");
        parts.clear();
        picture.segments[0].header.entry_points = {20, 30, 40};
        CHECK(refusal(scan, picture, 0, parts) == "too many entry points");
        picture.segments[1].header.segment_address = 12;
        CHECK(refusal(scan, picture, 1, parts) == "slice_segment_address out of range");
    }
}

// Every worker is called once a run; who waits goes on once what it waits for is there.
static void test_crew() {
    Crew crew(3);
    Progress progress;
    for (size_t count = 1; count <= 3; ++count) {
        progress.start(3, true);
        std::atomic<int> called[3] = {{0}, {0}, {0}};
        crew.run(count, [&](size_t worker) {
            ++called[worker];
            if (worker + 1 < count) progress.await(worker + 1);
            progress.set(worker);
        });
        for (size_t worker = 0; worker < 3; ++worker) CHECK(called[worker] == (worker < count));
    }
    int called = 0;
    crew.run(0, [&](size_t worker) { called += worker == 0 ? 1 : 9; });  // of nothing the caller finds nothing
    CHECK(called == 1);
}

// A process that was forked has not the threads: its caller works alone, and nobody is waited for.
static void test_forked_crew() {
    auto crew = std::make_unique<Crew>(3);
    std::atomic<int> called{0};
    crew->run(3, [&](size_t) { ++called; });
    CHECK(called == 3);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);  // ends it where it hangs
        int alone = 0;
        crew->run(3, [&](size_t worker) { alone += worker == 0 ? 1 : 9; });
        crew.reset();
        _exit(alone == 1 ? 7 : 8);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void test_level_buffer() {
    LevelBuffer buffer;
    for (int block = 0; block < 3; ++block) {
        Level* out = buffer.begin_block();
        for (int i = 0; i <= block; ++i) *out++ = level_at(10 * block + i + 1, i, 0);
        buffer.end_block(CodedBlock{}, out);
    }
    Coefficients coefficients;
    buffer.append_to(coefficients, 2, 3);
    buffer.append_to(coefficients, 0, 1);
    buffer.append_to(coefficients, 1, 1);
    CHECK(coefficients.blocks.size() == 2 && coefficients.levels.size() == 4);
    CHECK(coefficients.blocks[1].first == 3 && coefficients.blocks[1].end == 4);
    CHECK(value_of(coefficients.levels[0]) == 21 && value_of(coefficients.levels[3]) == 1);
    buffer.cut(1);
    Level* out = buffer.begin_block();
    buffer.end_block(CodedBlock{}, out + 1);
    coefficients = {};
    buffer.append_to(coefficients, 1, 2);
    CHECK(buffer.blocks() == 2 && coefficients.levels.size() == 1);
}

int main() {
    test_parts();
    test_crew();
    test_forked_crew();
    test_level_buffer();
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0;
}
