// Accumulation of pictures drawn at random, against a slow statement of it, sample by sample.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>

#include "accumulation.h"
#include "check.h"

using namespace edgecvar;

namespace {

constexpr int MB_WIDTH = 3, MB_HEIGHT = 2, WIDTH = 16 * MB_WIDTH, HEIGHT = 16 * MB_HEIGHT;
constexpr int COLUMNS = WIDTH / 4, BLOCKS = COLUMNS * HEIGHT / 4;

std::mt19937 generator(2018);
int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

struct Drawn {
    std::vector<MotionVector> mv = std::vector<MotionVector>(2 * BLOCKS, MotionVector{});
    std::vector<int16_t> offset = std::vector<int16_t>(2 * BLOCKS, 0);
    std::array<bool, BLOCKS> intra{};
    std::array<std::vector<int16_t>, 3> planes;

    // `references` may be referred to, by blocks of 4, 8 or 16 pixels.
    Drawn(int references, int reach, int most) {
        for (int mb = 0; mb < MB_WIDTH * MB_HEIGHT; ++mb) {
            const int step = 1 << uniform(0, 2);
            for (int y = 0; y < 4; y += step)
                for (int x = 0; x < 4; x += step)
                    fill(mb % MB_WIDTH * 4 + x, mb / MB_WIDTH * 4 + y, step, references, reach);
        }
        for (bool& block : intra) block = uniform(0, 9) == 0;
        for (size_t i = 0; i < 3; ++i) {
            planes[i].assign(size_t(WIDTH * HEIGHT) >> (i ? 2 : 0), 0);
            if (uniform(0, 1))
                for (int16_t& sample : planes[i]) sample = int16_t(uniform(-most, most));
        }
    }
    PictureArrays arrays() const {
        return {mv.data(), offset.data(), intra.data(), planes[0].data(), planes[1].data(), planes[2].data()};
    }

private:
    void fill(int left, int top, int step, int references, int reach) {
        for (int list = 0; list < 2; ++list) {
            const int far = uniform(0, 1) * reach;
            const MotionVector vector{int16_t(uniform(-far, far)), int16_t(uniform(-far, far))};
            const int16_t reference = int16_t(uniform(-references, 0));
            for (int y = top; y < top + step; ++y)
                for (int x = left; x < left + step; ++x) {
                    mv[size_t(list * BLOCKS + y * COLUMNS + x)] = vector;
                    offset[size_t(list * BLOCKS + y * COLUMNS + x)] = reference;
                }
        }
    }
};

// All sums of one picture.
struct Slow {
    std::vector<float> displacement = std::vector<float>(2 * BLOCKS, 0);
    std::array<std::vector<int16_t>, 3> planes;

    Slow() {
        for (size_t i = 0; i < 3; ++i) planes[i].assign(size_t(WIDTH * HEIGHT) >> (i ? 2 : 0), 0);
    }
};

int nearest(int at, int quarter_pixels, int cell, int size) {
    const int moved = int(std::floor(quarter_pixels / (4.0 * cell) + 0.5));
    return std::clamp(at + moved, 0, size - 1);
}

// The lists that count in a block, by Accumulator's rule; `before[i]` is at offset -1 - i.
std::vector<int> lists(const Drawn& drawn, int block, const std::vector<bool>& current) {
    std::vector<int> used, preferred;
    for (int list = 0; list < 2; ++list) {
        const int offset = drawn.intra[size_t(block)] ? 0 : drawn.offset[size_t(list * BLOCKS + block)];
        if (offset == 0) continue;
        used.push_back(list);
        if (current[size_t(-1 - offset)]) preferred.push_back(list);
    }
    return preferred.empty() ? used : preferred;
}

Slow follow(const Drawn& drawn, const std::vector<Slow>& before, const std::vector<bool>& current) {
    Slow slow;
    for (int block = 0; block < BLOCKS; ++block) {
        const std::vector<int> counted = lists(drawn, block, current);
        for (const int list : counted) {
            const size_t at = size_t(list * BLOCKS + block);
            const int16_t vector[2] = {drawn.mv[at].x, drawn.mv[at].y};
            const int x = nearest(block % COLUMNS, vector[0], 4, COLUMNS),
                      y = nearest(block / COLUMNS, vector[1], 4, HEIGHT / 4);
            for (int axis = 0; axis < 2; ++axis)
                slow.displacement[size_t(2 * block + axis)] +=
                    (before[size_t(-1 - drawn.offset[at])].displacement[size_t(2 * (y * COLUMNS + x) + axis)] -
                     vector[axis] / 4.0f) /
                    float(counted.size());
        }
    }
    for (int plane = 0; plane < 3; ++plane) {
        const int cell = plane ? 2 : 1, width = WIDTH / cell, height = HEIGHT / cell;
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                const int block = y * cell / 4 * COLUMNS + x * cell / 4;
                const std::vector<int> counted = lists(drawn, block, current);
                double sum = drawn.planes[size_t(plane)][size_t(y * width + x)];
                for (const int list : counted) {
                    const size_t at = size_t(list * BLOCKS + block);
                    const int from = nearest(y, drawn.mv[at].y, cell, height) * width +
                                     nearest(x, drawn.mv[at].x, cell, width);
                    sum += double(before[size_t(-1 - drawn.offset[at])].planes[size_t(plane)][size_t(from)]) /
                           double(counted.size());
                }
                slow.planes[size_t(plane)][size_t(y * width + x)] = int16_t(
                    std::clamp(std::nearbyint(sum), -32768.0, 32767.0));
            }
    }
    return slow;
}

bool same(const TracedPicture& traced, const Slow& slow) {
    Slow fast;
    traced.displacement(fast.displacement.data());
    traced.residual(fast.planes[0].data(), fast.planes[1].data(), fast.planes[2].data());
    return fast.displacement == slow.displacement && fast.planes == slow.planes;
}

// A chain of pictures, each referring to up to three before it.
void test_chain(int reach, int most) {
    const Accumulator accumulator(WIDTH, HEIGHT, true);
    std::vector<std::shared_ptr<TracedPicture>> traced = {accumulator.origin()};
    std::vector<Slow> slow(1);
    for (int picture = 1; picture < 9; ++picture) {
        const int references = std::min(picture, 3);
        const Drawn drawn(references, reach, most);
        std::vector<TracedReference> given;
        std::vector<Slow> before;
        std::vector<bool> current;
        for (int i = 0; i < references; ++i) {
            current.push_back(uniform(0, 2) > 0);
            before.push_back(slow[slow.size() - 1 - size_t(i)]);
            given.push_back({-1 - i, traced[traced.size() - 1 - size_t(i)], current.back()});
        }
        traced.push_back(accumulator.follow(drawn.arrays(), given));
        slow.push_back(follow(drawn, before, current));
        CHECK(same(*traced.back(), slow.back()));
    }
}

template <class Step>
bool refused(const Step& step) {
    try {
        step();
    } catch (const std::invalid_argument&) {
        return true;
    }
    return false;
}

void test_refusals() {
    const Accumulator accumulator(WIDTH, HEIGHT, true), other(WIDTH, HEIGHT, true);
    const Drawn drawn(3, 5, 5);
    PictureArrays without = drawn.arrays();
    without.cb = nullptr;
    const std::vector<TracedReference> three = {
        {-1, accumulator.origin()}, {-2, accumulator.origin()}, {-3, accumulator.origin()}};
    CHECK(!refused([&] { accumulator.follow(drawn.arrays(), three); }));
    CHECK(refused([&] { accumulator.follow(drawn.arrays(), {}); }));
    CHECK(refused([&] { accumulator.follow(drawn.arrays(), {{-1, nullptr}}); }));
    CHECK(refused([&] { accumulator.follow(drawn.arrays(), {{-1, other.origin()}}); }));
    CHECK(refused([&] { accumulator.follow(without, three); }));
}

// A pool outlives its accumulator, and what nobody holds is used again.
void test_memory() {
    auto accumulator = std::make_unique<Accumulator>(WIDTH, HEIGHT, true);
    std::shared_ptr<TracedPicture> last = accumulator->origin();
    for (int picture = 0; picture < 200; ++picture) last = accumulator->follow(Drawn(1, 40, 40).arrays(), {{-1, last}});
    accumulator.reset();
    Slow sums;
    last->displacement(sums.displacement.data());
    CHECK(std::any_of(sums.displacement.begin(), sums.displacement.end(), [](float pixels) { return pixels != 0; }));
}

}  // namespace

int main() {
    for (int chain = 0; chain < 20; ++chain)
        for (const int reach : {6, 70, 32767})
            for (const int most : {2, 32767}) test_chain(reach, most);
    test_refusals();
    test_memory();
    if (failures == 0) std::printf("accumulation: as it should be\n");
    return failures != 0;
}
