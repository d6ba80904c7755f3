// Scans of 4x4 coefficients and of the sub-blocks of a block (ITU-T H.265, 6.5.3 to 6.5.5), and contexts that follow them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace edgecvar::hevc {

struct ScanPlace {
    uint8_t x, y;
};

// Up-right diagonal, horizontal and vertical scans of a square of `SIZE`. What the standard calls traverse is not used.
template <int SIZE>
constexpr std::array<std::array<ScanPlace, SIZE * SIZE>, 3> make_scans() {
    std::array<std::array<ScanPlace, SIZE * SIZE>, 3> scans{};
    int at = 0;
    for (int sum = 0; sum < 2 * SIZE - 1; ++sum) {
        for (int y = sum < SIZE ? sum : SIZE - 1; y >= 0 && sum - y < SIZE; --y)
            scans[0][size_t(at++)] = {uint8_t(sum - y), uint8_t(y)};
    }
    for (int i = 0; i < SIZE * SIZE; ++i) {
        scans[1][size_t(i)] = {uint8_t(i % SIZE), uint8_t(i / SIZE)};
        scans[2][size_t(i)] = {uint8_t(i / SIZE), uint8_t(i % SIZE)};
    }
    return scans;
}

constexpr auto SCAN_1X1 = make_scans<1>();
constexpr auto SCAN_2X2 = make_scans<2>();
constexpr auto SCAN_4X4 = make_scans<4>();
constexpr auto SCAN_8X8 = make_scans<8>();

// Places of the sub-blocks of a block, by scanIdx. The horizontal and vertical scans are those of 8x8 blocks and less.
constexpr const ScanPlace* sub_block_scan(int log2_size, int scan) {
    switch (log2_size) {
        case 2: return SCAN_1X1[size_t(scan)].data();
        case 3: return SCAN_2X2[size_t(scan)].data();
        case 4: return SCAN_4X4[size_t(scan)].data();
        default: return SCAN_8X8[size_t(scan)].data();
    }
}

// Where x, y is in a scan: [scanIdx][y * SIZE + x].
template <int SIZE>
constexpr std::array<std::array<uint8_t, SIZE * SIZE>, 3> invert(
    const std::array<std::array<ScanPlace, SIZE * SIZE>, 3>& scans) {
    std::array<std::array<uint8_t, SIZE * SIZE>, 3> inverse{};
    for (size_t scan = 0; scan < 3; ++scan) {
        for (size_t i = 0; i < SIZE * SIZE; ++i)
            inverse[scan][size_t(scans[scan][i].y * SIZE + scans[scan][i].x)] = uint8_t(i);
    }
    return inverse;
}

constexpr auto PLACE_4X4 = invert<4>(SCAN_4X4);
constexpr auto PLACE_8X8 = invert<8>(SCAN_8X8);
constexpr auto PLACE_2X2 = invert<2>(SCAN_2X2);

// The place of a sub-block in the scan of a block.
constexpr int sub_block_place(int log2_size, int scan, int x, int y) {
    switch (log2_size) {
        case 2: return 0;
        case 3: return PLACE_2X2[size_t(scan)][size_t(y * 2 + x)];
        case 4: return PLACE_4X4[size_t(scan)][size_t(y * 4 + x)];
        default: return PLACE_8X8[size_t(scan)][size_t(y * 8 + x)];
    }
}

// sigCtx by place in the scan, before what block and sub-block add (9-43 to 9-50): [scanIdx][0..3: csbfCtx of the sub-blocks
// to the right (1) and below (2); 4: a 4x4 block][place].
using SigContexts = std::array<std::array<std::array<uint8_t, 16>, 5>, 3>;

constexpr SigContexts make_sig_contexts() {
    constexpr uint8_t OF_4X4[16] = {0, 1, 4, 5, 2, 3, 4, 5, 6, 6, 8, 8, 7, 7, 8, 8};
    SigContexts contexts{};
    for (size_t scan = 0; scan < 3; ++scan) {
        for (size_t i = 0; i < 16; ++i) {
            const int x = SCAN_4X4[scan][i].x, y = SCAN_4X4[scan][i].y;
            contexts[scan][0][i] = uint8_t(x + y == 0 ? 2 : x + y < 3 ? 1 : 0);
            contexts[scan][1][i] = uint8_t(y == 0 ? 2 : y == 1 ? 1 : 0);
            contexts[scan][2][i] = uint8_t(x == 0 ? 2 : x == 1 ? 1 : 0);
            contexts[scan][3][i] = 2;
            contexts[scan][4][i] = OF_4X4[y * 4 + x];
        }
    }
    return contexts;
}

constexpr SigContexts SIG_CONTEXTS = make_sig_contexts();

// y << 5 | x by place in the scan, as levels have it.
constexpr std::array<std::array<uint8_t, 16>, 3> make_level_places() {
    std::array<std::array<uint8_t, 16>, 3> places{};
    for (size_t scan = 0; scan < 3; ++scan) {
        for (size_t i = 0; i < 16; ++i) places[scan][i] = uint8_t(SCAN_4X4[scan][i].y << 5 | SCAN_4X4[scan][i].x);
    }
    return places;
}

constexpr auto LEVEL_PLACES = make_level_places();

}  // namespace edgecvar::hevc
