// Sequence and picture parameter sets, on bits made up here (ITU-T H.265, 7.3.2, 7.4.3, 6.5).
#include <cstdio>

#include "check.h"
#include "hevc/header_bits.h"

static Numbers deltas(const std::vector<ShortTermPicture>& side) {
    Numbers numbers;
    for (const ShortTermPicture& picture : side) numbers.push_back(picture.delta_poc);
    return numbers;
}

static void test_sps() {
    SpsBits bits;
    bits.crop = true, bits.sub_layers = 3, bits.luma = 10, bits.chroma = 9, bits.profile = 2, bits.ctb = 6;
    bits.pcm = [](BitWriter& out) { out.bits(6, 4).bits(4, 4).ue(0).ue(1).bits(1, 1); };
    bits.long_term = [](BitWriter& out) { out.ue(2).bits(5, 8).bits(1, 1).bits(200, 8).bits(0, 1); };
    bits.vui =
        [](BitWriter& out) {  // Extended_SAR, colours, display window, timing, HRD with sub-pictures, restrictions
            out.bits(1, 1).bits(255, 8).bits(0x00010001, 32).bits(0, 1).bits(1, 1).bits(0, 4).bits(1, 1).bits(0, 24);
            out.bits(1, 1).ues({1, 1}).bits(0, 3).bits(1, 1).ues({0, 2, 0, 2}).bits(1, 1).bits(1, 32).bits(50, 32);
            out.bits(1, 1).ue(3).bits(1, 1).bits(3, 2).bits(1, 1).bits(0, 19).bits(0, 8).bits(0, 4).bits(0, 15);
            out.bits(1, 1).ue(7).ue(1);  // fixed rate, two buffers
            for (int i = 0; i < 4; ++i) out.ues({9, 9, 9, 9}).bits(1, 1);
            out.bits(0, 2).ue(0);        // not fixed, one buffer
            for (int i = 0; i < 2; ++i) out.ues({9, 9, 9, 9}).bits(1, 1);
            out.bits(0, 1).bits(1,
                                1);  // low delay: one buffer unsaid; but fixed within the sequence alone has a duration
            out.ue(4).ue(0);
            for (int i = 0; i < 2; ++i) out.ues({9, 9, 9, 9}).bits(1, 1);
            out.bits(1, 1).bits(0, 3).ues({0, 2, 1, 15, 15});
        };
    bits.extension = [](BitWriter& out) { out.bits(0x91, 8).bits(0, 9).bits(0, 5).bits(0x155, 9); };  // no tool of it
    ParameterSets sets = sets_of(bits, {});
    const SliceHeader header = read_idr(sets);
    const Sps& sps = *header.sps;
    CHECK(sps.vps_id == 2 && sps.profile_idc == 2 && sps.level_idc == 93 && sps.log2_max_poc_lsb == 8);
    CHECK(sps.coded_width == 64 && sps.coded_height == 48 && sps.width_in_ctbs() == 1 && sps.height_in_ctbs() == 1);
    CHECK(sps.crop_left == 2 && sps.crop_right == 4 && sps.crop_top == 6 && sps.crop_bottom == 8);
    CHECK(sps.bit_depth_luma == 10 && sps.bit_depth_chroma == 9);
    CHECK(sps.max_dec_pic_buffering == 7 && sps.max_reorder == 2);
    CHECK(sps.min_cb_log2 == 3 && sps.ctb_log2 == 6 && sps.min_tb_log2 == 2 && sps.max_tb_log2 == 4);
    CHECK(sps.max_transform_depth_inter == 1 && sps.max_transform_depth_intra == 1);
    CHECK(sps.amp_enabled && sps.sao_enabled && sps.temporal_mvp_enabled && sps.strong_intra_smoothing);
    CHECK(sps.pcm_enabled && sps.pcm_bit_depth_luma == 7 && sps.pcm_bit_depth_chroma == 5);
    CHECK(sps.pcm_min_cb_log2 == 3 && sps.pcm_max_cb_log2 == 4);
    CHECK(sps.long_term_present && sps.long_term_poc_lsb == (Numbers{5, 200}));
    CHECK(sps.long_term_used == (std::vector<bool>{true, false}));
    CHECK(sps.window_end - sps.window_position == 1 + 3 + 3 + 5 + 5);
    CHECK(sps.ordering_end - sps.ordering_position == 1 + 7 + 9 + 9);
    CHECK(header.first_in_picture && header.idr() && header.irap() && header.type == SliceType::I);
    CHECK(header.qp == 24 && header.cb_qp_offset == 2 && header.cr_qp_offset == -2 && header.data_position == 16);

    sets.read_sps(bits.payload());
    CHECK(read_idr(sets).sps == header.sps && read_idr(sets).pps == header.pps);  // repeated: the same sets
    bits.width = 128;
    sets.read_sps(bits.payload());
    CHECK(read_idr(sets).sps->coded_width == 128 && read_idr(sets).pps->ctb_tile_to_raster.size() == 2);
}

static void test_refused_sets() {
    const auto refusal = [](const Part& change, SpsBits bits = {}) {
        bits.extension = change;
        ParameterSets sets;
        return thrown<Unsupported>([&] { sets.read_sps(bits.payload()); });
    };
    SpsBits format;
    format.chroma_format = 2;
    CHECK(refusal(nullptr, format) == "4:2:2");
    format.chroma_format = 3;
    CHECK(refusal(nullptr, format) == "4:4:4");
    format.chroma_format = 0, format.chroma = 12;
    CHECK(refusal(nullptr, format).empty());
    format.chroma_format = 1;
    CHECK(refusal(nullptr, format) == "bit depth 12");
    format = SpsBits(), format.space = 1;
    CHECK(refusal(nullptr, format) == "profile space 1");
    CHECK(refusal([](BitWriter& out) { out.bits(0x80, 8).bits(0x40, 9); }) == "range extensions (implicit_rdpcm)");
    CHECK(refusal([](BitWriter& out) { out.bits(0x40, 8).bits(1, 1); }).empty());  // of layers that are left out
    CHECK(refusal([](BitWriter& out) { out.bits(0x50, 8).bits(1, 1).bits(4, 5); }) == "screen content extensions");
    CHECK(refusal([](BitWriter& out) { out.bits(0x20, 8); }) == "3D extensions");
    CHECK(refusal([](BitWriter& out) { out.bits(0x10, 8).bits(4, 5); }) == "screen content extensions");
    CHECK(refusal([](BitWriter& out) { out.bits(0x0F, 8).bits(4, 5); }).empty());

    ParameterSets sets = sets_of({}, {});
    const auto broken = [&](const std::function<void(SpsBits&)>& change) {
        SpsBits bits;
        change(bits);
        return !thrown<Damage>([&] { sets.read_sps(bits.payload()); }).empty();
    };
    CHECK(broken([](SpsBits& bits) { bits.width = 68; }));  // no multiple of 8
    CHECK(broken([](SpsBits& bits) { bits.width = 16896; }));
    CHECK(broken([](SpsBits& bits) { bits.width = bits.height = 8192; }));
    CHECK(broken([](SpsBits& bits) { bits.ctb = 3; }));
    CHECK(broken([](SpsBits& bits) { bits.min_cb = 5, bits.ctb = 7; }));
    CHECK(broken([](SpsBits& bits) { bits.min_tb = 3, bits.max_tb = 4; }));
    CHECK(broken([](SpsBits& bits) { bits.max_tb = 5; }));
    CHECK(broken([](SpsBits& bits) { bits.depth = 3; }));
    CHECK(broken([](SpsBits& bits) { bits.height = 8, bits.crop = true; }));
    CHECK(broken([](SpsBits& bits) { bits.id = 16; }));
    CHECK(broken([](SpsBits& bits) { bits.pcm = [](BitWriter& out) { out.bits(8, 4).bits(4, 4).ues({0, 0}); }; }));
    CHECK(broken([](SpsBits& bits) { bits.pcm = [](BitWriter& out) { out.bits(7, 4).bits(7, 4).ues({0, 2}); }; }));
    CHECK(broken([](SpsBits& bits) { bits.sets = [](BitWriter& out) { out.ue(65); }; }));
    CHECK(broken([](SpsBits& bits) { bits.profile = 4, bits.vui = [](BitWriter& out) { out.bits(0x10, 8); }; }));
    CHECK(read_idr(sets).sps->coded_width == 64);  // the old one stays

    CHECK(!thrown<Unsupported>([&] {
               sets.read_sps([] {
                   SpsBits b;
                   b.luma = 12;
                   return b.payload();
               }());
           }).empty());
    CHECK(thrown<Unsupported>([&] { read_idr(sets); }) == "bit depth 12");
    sets.read_sps(SpsBits().payload());
    PpsBits pps;
    pps.extension = [](BitWriter& out) { out.bits(0x80, 8).bits(1, 1); };
    CHECK(thrown<Unsupported>([&] { sets.read_pps(pps.payload()); }) ==
          "range extensions (cross_component_prediction)");
    CHECK(thrown<Unsupported>([&] { read_idr(sets); }) == "range extensions (cross_component_prediction)");
    pps.extension = [](BitWriter& out) { out.bits(0x90, 8).bits(0, 2).ues({0, 0}).bits(0, 3); };
    sets.read_pps(pps.payload());
    CHECK(read_idr(sets).qp == 24);
    pps.extension = [](BitWriter& out) { out.bits(0x40, 8).bits(0x2A, 6); };
    sets.read_pps(pps.payload());
    CHECK(read_idr(sets).qp == 24);
    pps.extension = [](BitWriter& out) { out.bits(0x50, 8).bits(0x2A, 6); };
    CHECK(thrown<Unsupported>([&] { sets.read_pps(pps.payload()); }) == "multi-layer and screen content extensions");
}

static void test_pps_against_its_sps() {
    const auto refused = [](const PpsBits& pps) {
        ParameterSets sets = sets_of({}, pps);
        return !thrown<Damage>([&] { read_idr(sets); }).empty();
    };
    PpsBits bits;
    CHECK(!refused(bits));
    bits.parallel = 3;  // of 32x32, more than a CTB
    CHECK(refused(bits));
    bits.parallel = 2;
    bits.tiles = [](BitWriter& out) { out.ues({4, 0}).bits(1, 1).bits(0, 1); };  // 5 columns in 4
    CHECK(refused(bits));
    bits.tiles = [](BitWriter& out) { out.ues({1, 0}).bits(0, 1).ue(3).bits(0, 1); };  // nothing left
    CHECK(refused(bits));
    bits.tiles = nullptr, bits.sps = 3;
    CHECK(refused(bits));
}

static void test_addresses() {
    SpsBits sps;  // 4 x 3 CTBs
    PpsBits pps;
    pps.tiles = [](BitWriter& out) { out.ues({1, 1}).bits(0, 1).ues({2, 0}).bits(0, 1); };  // 3 + 1 columns, 1 + 2 rows
    ParameterSets sets = sets_of(sps, pps);
    BitWriter slice = BitWriter().bits(1, 1).bits(0, 1).ue(0).ue(2).bits(3, 2).se(1).bits(1, 1).ue(0);
    const Pps tiled = *read_slice(sets, aligned(slice), IDR_W_RADL).pps;
    CHECK((tiled.column_starts == Numbers{0, 3} && tiled.row_starts == Numbers{0, 1}));
    CHECK((tiled.ctb_tile_to_raster == Numbers{0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 7, 11}));
    CHECK((tiled.ctb_raster_to_tile == Numbers{0, 1, 2, 3, 4, 5, 6, 10, 7, 8, 9, 11}));
    CHECK((tiled.tile_id == Numbers{0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3, 3}));

    pps.tiles = [](BitWriter& out) { out.ues({2, 1}).bits(1, 1).bits(0, 1); };  // uniform
    sets.read_pps(pps.payload());
    const Pps uniform = *read_slice(sets, aligned(slice), IDR_W_RADL).pps;
    CHECK((uniform.column_starts == Numbers{0, 1, 2} && uniform.row_starts == Numbers{0, 1}));
}

static void test_scaling_lists() {
    SpsBits sps;
    sps.scaling = [](BitWriter& out) { out.bits(0, 1); };  // the default ones
    ParameterSets sets = sets_of(sps, {});
    const ScalingLists standard = read_idr(sets).pps->scaling;
    CHECK(standard.lists[0][5][15] == 16 && standard.lists[1][0][63] == 115 && standard.lists[3][3][63] == 91);
    CHECK(standard.lists[2][2][10] == 17 && standard.lists[2][5][11] == 17 && standard.dc[0][4] == 16);
    PpsBits pps;
    pps.scaling = [](BitWriter& out) {
        out.bits(1, 1).se(1);  // 4x4 of matrix 0: 9, 12, ..., 9 again once it comes round at 256
        for (int i = 0; i < 15; ++i) out.se(i == 14 ? -39 + 256 - 256 : 3);
        out.bits(0, 1).ue(1);  // matrix 1 as 0
        for (int i = 2; i < 6; ++i) out.bits(0, 1).ue(0);  // default
        for (int i = 0; i < 6; ++i) out.bits(0, 1).ue(0);  // 8x8
        out.bits(1, 1).se(42).se(-50);  // 16x16: DC 50, then 0 + 256 - 0
        for (int i = 1; i < 64; ++i) out.se(i == 1 ? 20 : 0);
        for (int i = 1; i < 6; ++i) out.bits(0, 1).ue(uint32_t(i));
        out.bits(1, 1).se(-7);
        for (int i = 0; i < 64; ++i) out.se(1);
        out.bits(0, 1).ue(1);  // 32x32: matrix 3 as 0
    };
    sets.read_pps(pps.payload());
    const ScalingLists own = read_idr(sets).pps->scaling;
    CHECK(own.lists[0][0][0] == 9 && own.lists[0][0][14] == 51 && own.lists[0][0][15] == 12);
    CHECK(own.lists[0][1] == own.lists[0][0] && own.lists[0][2][0] == 16 && own.lists[1] == standard.lists[1]);
    CHECK(own.dc[0][0] == 50 && own.lists[2][0][0] == 0 && own.lists[2][0][63] == 20);
    CHECK(own.dc[0][5] == 50 && own.lists[2][5] == own.lists[2][0]);
    CHECK(own.dc[1][0] == 1 && own.lists[3][0][0] == 2 && own.lists[3][0][63] == 65);
    CHECK(own.dc[1][3] == 1 && own.lists[3][3] == own.lists[3][0]);
    pps.scaling = [](BitWriter& out) { out.bits(0, 1).ue(1); };  // the one before the first
    CHECK(!thrown<Damage>([&] { sets.read_pps(pps.payload()); }).empty());
}

static void test_short_term_sets() {
    SpsBits sps;
    sps.sets = [](BitWriter& out) {
        out.ue(3);
        write_set(out, {-2, -4, -7}, {2, 4});
        // The first moved by -1: -5 and -3 stay away; +1 and +3 and -1 itself, all but those not used and not kept.
        out.bits(1, 1).bits(1, 1).ue(0).bits(0, 1).bits(0, 1);  // -2: neither used nor kept
        out.bits(1, 1).bits(0, 1).bits(1, 1);  // -4 used, -7 kept alone
        out.bits(1, 1).bits(1, 1).bits(1, 1);  // 2, 4, and deltaRps itself
        // That moved by 4.
        out.bits(1, 1).bits(0, 1).ue(3).bits(63, 6);
    };
    ParameterSets sets = sets_of(sps, {});
    const std::vector<ShortTermSet>& known = read_idr(sets).sps->short_term_sets;
    CHECK((deltas(known[0].before) == Numbers{-2, -4, -7} && deltas(known[0].after) == Numbers{2, 4}));
    CHECK(known[0].before[1].used && !known[0].before[2].used);
    CHECK((deltas(known[1].before) == Numbers{-1, -5, -8} && deltas(known[1].after) == Numbers{1, 3}));
    CHECK(known[1].before[0].used && known[1].before[1].used && !known[1].before[2].used);
    CHECK((deltas(known[2].before) == Numbers{-1, -4} && deltas(known[2].after) == Numbers{3, 4, 5, 7}));

    // In a slice: chosen by 2 bits, written out, or predicted from two back.
    const auto slice = [](const Part& set) {
        BitWriter out;
        out.bits(1, 1).ue(0).ue(2).bits(9, 8);
        set(out);
        return aligned(out.bits(0, 1).bits(0, 2).se(0).bits(1, 1));
    };
    const auto chosen = [](BitWriter& out) { out.bits(1, 1).bits(2, 2); };
    CHECK(deltas(read_slice(sets, slice(chosen)).short_term.after) == (Numbers{3, 4, 5, 7}));
    const auto beyond = [](BitWriter& out) { out.bits(1, 1).bits(3, 2); };
    CHECK(!thrown<Damage>([&] { read_slice(sets, slice(beyond)); }).empty());
    const auto predicted = [](BitWriter& out) { out.bits(0, 1).bits(1, 1).ue(2).bits(0, 1).ue(0).bits(63, 6); };
    const SliceHeader header = read_slice(sets, slice(predicted));
    CHECK((deltas(header.short_term.before) == Numbers{-1, -3, -6} &&
           deltas(header.short_term.after) == Numbers{1, 3, 5}));
    CHECK(header.poc_lsb == 9 && header.references_position == 1 + 1 + 3 && !header.temporal_mvp);
    const auto too_many = [](BitWriter& out) { out.bits(0, 1).bits(0, 1).ues({9, 8}); };
    CHECK(!thrown<Damage>([&] { read_slice(sets, slice(too_many)); }).empty());
}

int main() {
    test_sps();
    test_refused_sets();
    test_pps_against_its_sps();
    test_addresses();
    test_scaling_lists();
    test_short_term_sets();
    if (failures == 0) std::printf("hevc parameter sets: as they should be\n");
    return failures != 0;
}
