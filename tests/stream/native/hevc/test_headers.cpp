// Slice segment headers and recovery points, on bits made up here (ITU-T H.265, 7.3.6, 7.4.7).
#include <cstdio>

#include "check.h"
#include "hevc/header_bits.h"

static void test_long_term_pictures() {
    SpsBits sps;
    sps.temporal_mvp = false;
    sps.long_term = [](BitWriter& out) {
        out.ue(3).bits(5, 8).bits(1, 1).bits(200, 8).bits(0, 1).bits(7, 8).bits(1, 1);
    };
    ParameterSets sets = sets_of(sps, {});
    const auto slice = [](const Part& pictures) {
        BitWriter out;
        out.bits(1, 1).ue(0).ue(2).bits(40, 8).bits(0, 1).ues({0, 0});
        pictures(out);
        return aligned(out.bits(0, 2).se(0).bits(1, 1));
    };
    const auto four = [](BitWriter& out) {
        out.ue(2).ue(2);
        out.bits(1, 2).bits(1, 1).ue(2);  // lsb 200, two cycles back
        out.bits(2, 2).bits(1, 1).ue(1);  // lsb 7, one more
        out.bits(33, 8).bits(1, 1).bits(0, 1);  // no cycles said
        out.bits(34, 8).bits(0, 1).bits(1, 1).ue(0);
    };
    const std::vector<LongTermPicture> pictures = read_slice(sets, slice(four)).long_term;
    CHECK(pictures.size() == 4 && !pictures[0].used && pictures[1].used && pictures[2].used && !pictures[3].used);
    CHECK(pictures[0].has_msb && pictures[0].poc == 200 - 40 - 512 && pictures[1].poc == 7 - 40 - 768);
    CHECK(!pictures[2].has_msb && pictures[2].poc == 33 && pictures[3].poc == 34 - 40);
    const auto far = [](BitWriter& out) { out.ue(0).ue(1).bits(33, 8).bits(1, 1).bits(1, 1).ue(1 << 23); };
    CHECK(!thrown<Damage>([&] { read_slice(sets, slice(far)); }).empty());
    const auto many = [](BitWriter& out) { out.ue(9).ue(8); };
    CHECK(!thrown<Damage>([&] { read_slice(sets, slice(many)); }).empty());
}

static void test_predicted_slice() {
    PpsBits pps;
    pps.weighted = pps.lists = pps.init = pps.chroma_offsets = pps.deblocking = pps.output = true, pps.extra = 2;
    ParameterSets sets = sets_of({}, pps);
    BitWriter slice;
    slice.bits(1, 1).ue(0).bits(3, 2).ue(0).bits(0, 1).bits(77, 8).bits(0, 1);
    write_set(slice, {-2, -4}, {2});
    slice.bits(1, 1).bits(1, 2);  // temporal MVP; SAO of chroma alone
    slice.bits(1, 1).ue(1).ue(2).bits(1, 1).bits(2, 2).bits(0, 2).bits(0, 1);  // 2 and 3 active; list 0 modified
    slice.bits(1, 1).bits(1, 1).bits(0, 1).ue(2);  // mvd_l1_zero, cabac_init, collocated: the third of L1
    slice.ue(6).se(-1);  // denominators 64 and 32
    slice.bits(1, 2).bits(2, 2).se(1).se(-64).se(-127).se(511).se(-70).se(-128);
    slice.bits(0, 3).bits(0, 3).ue(3);
    slice.se(4).se(-3).se(1).bits(1, 1).bits(0, 1).se(0).se(0).bits(1, 1);
    const SliceHeader header = read_slice(sets, aligned(slice), RASL_N);
    CHECK(header.type == SliceType::B && !header.pic_output && header.poc_lsb == 77 && header.rasl());
    CHECK(header.type_position == 2 && header.temporal_mvp && !header.sao_luma && header.sao_chroma);
    CHECK(header.num_ref_idx[0] == 2 && header.num_ref_idx[1] == 3);
    CHECK(header.list_entries[0] == (Numbers{2, 0}) && header.list_entries[1].empty());
    CHECK(header.mvd_l1_zero && header.cabac_init && !header.collocated_from_l0 && header.collocated_ref_idx == 2);
    CHECK(header.explicit_weights && header.luma_log2_denom == 6 && header.chroma_log2_denom == 5);
    CHECK(header.weights[0][0].weight[0] == 64 && header.weights[0][0].offset[0] == 0);
    CHECK(header.weights[0][1].weight[0] == -6 && header.weights[0][1].offset[0] == -128);
    CHECK(header.weights[0][0].weight[1] == 33 && header.weights[0][0].offset[1] == 128 - 64 - 132);
    CHECK(header.weights[0][0].weight[2] == -95 && header.weights[0][0].offset[2] == 127);
    CHECK(header.weights[0][1].weight[1] == 32 && header.weights[1][2].weight[0] == 64);
    CHECK(header.max_merge_candidates == 2 && header.qp == 27 && header.cb_qp_offset == -1 &&
          header.cr_qp_offset == -1);
    CHECK(!header.deblocking_disabled && header.alignment_position == slice.position());
    CHECK(header.references_position == 2 + 2 + 1 + 1 && !header.sub_layer_reference());

    CHECK(!thrown<Damage>([&] { read_slice(sets, aligned(slice), CRA); }).empty());
    BitWriter none;
    none.bits(1, 1).ue(0).bits(3, 2).ue(1).bits(0, 1).bits(77, 8).bits(0, 1);
    write_set(none, {-1}, {});  // not used
    CHECK(thrown<Damage>([&] { read_slice(sets, aligned(none.bits(0, 12))); }) == "predicted slice without references");
}

static void test_broken_headers() {
    ParameterSets sets = sets_of({}, {});
    Payload bare = aligned(IDR, 0);
    --bare.size;  // nothing behind the header
    CHECK(!thrown<Damage>([&] { read_slice(sets, bare, IDR_W_RADL); }).empty());
    BitWriter unaligned = IDR;
    CHECK(unaligned.position() % 8 != 0);
    CHECK(thrown<Damage>([&] { read_slice(sets, unaligned.bits(0, 20).payload(), IDR_W_RADL); }) ==
          "slice header is not aligned");
    const BitWriter outside = BitWriter().bits(0, 2).ue(0).bits(12, 4).ue(2).bits(3, 2).se(1).bits(1, 1);
    CHECK(thrown<Damage>([&] { read_slice(sets, aligned(outside), IDR_W_RADL); }) == "slice_segment_address 12");
    const BitWriter last = BitWriter().bits(0, 2).ue(0).bits(11, 4).ue(2).bits(3, 2).se(1).bits(1, 1);
    CHECK(read_slice(sets, aligned(last), IDR_W_RADL).segment_address == 11);
    CHECK(!thrown<Damage>([&] {
               read_slice(sets, aligned(BitWriter().bits(1, 1).bits(0, 1).ue(1)), IDR_W_RADL);
           }).empty());
    NalUnit unit;
    unit.type = IDR_W_RADL, unit.temporal_id = -1;
    CHECK(!thrown<Damage>([&] { sets.read_slice_header(unit, aligned(IDR), nullptr); }).empty());
    for (int qp : {-25, 29}) {  // SliceQpY -2 and 52
        const BitWriter slice = BitWriter().bits(1, 1).bits(0, 1).ue(0).ue(2).bits(3, 2).se(qp).bits(1, 1);
        CHECK(!thrown<Damage>([&] { read_slice(sets, aligned(slice), IDR_W_RADL); }).empty());
    }
}

static void test_dependent_segments() {
    PpsBits pps;
    pps.dependent = pps.header_extension = true;
    ParameterSets sets = sets_of({}, pps);
    BitWriter first = IDR;
    const SliceHeader whole = read_slice(sets, aligned(first.ue(2).bits(0xABCD, 16)), IDR_W_RADL);
    CHECK(!whole.dependent && whole.data_position % 8 == 0 && whole.alignment_position == IDR.position() + 3 + 16);
    const BitWriter next = BitWriter().bits(0, 1).bits(1, 1).ue(0).bits(1, 1).bits(5, 4).ue(0);
    const SliceHeader part = read_slice(sets, aligned(next), IDR_W_RADL, &whole);
    CHECK(part.dependent && !part.first_in_picture && part.segment_address == 5 && part.slice_address == 0);
    CHECK(part.qp == 24 && part.sao_luma && part.pps == whole.pps && part.no_output_of_prior_pics);
    CHECK(part.data_position == 16);
    CHECK(!thrown<Damage>([&] { read_slice(sets, aligned(next), IDR_W_RADL); }).empty());
    CHECK(!thrown<Damage>([&] { read_slice(sets, aligned(next), IDR_W_RADL, &part); }).empty());
}

// Substreams of 3, 4 and the last bytes of the unit, one of which stands for emulation prevention.
static void test_entry_points() {
    PpsBits pps;
    pps.sync = true;
    ParameterSets sets = sets_of({}, pps);
    const auto unit_of = [](const Numbers& sizes) {
        BitWriter out = IDR;
        out.ue(uint32_t(sizes.size()));
        if (!sizes.empty()) out.ue(4);
        for (const int size : sizes) out.bits(uint32_t(size - 1), 5);
        const Payload header = aligned(out, 0);  // and the trailing bit, a byte
        Bytes unit{IDR_W_RADL << 1, 1};
        unit.insert(unit.end(), header.bytes.begin(), header.bytes.begin() + std::ptrdiff_t(header.size - 1));
        for (const int byte : {1, 0, 0, 3, 1, 5, 6, 0, 0, 3, 0, 9, 9}) unit.push_back(uint8_t(byte));
        return unit;
    };
    const auto entries = [&](const Numbers& sizes) {
        const Bytes bytes = unit_of(sizes);
        const NalUnit unit = nal_unit(bytes.data(), bytes.size(), Standard::HEVC);
        Payload payload;
        unescape(unit, payload);
        const SliceHeader header = sets.read_slice_header(unit, payload, nullptr);
        Numbers found;
        for (const size_t entry : header.entry_points) found.push_back(int(entry - header.data_position / 8));
        return found;
    };
    CHECK((entries({6, 6}) == Numbers{5, 10}));  // 1 0 0 (3) 1 5 | 6 0 0 (3) 0 9 | 9
    CHECK((entries({3, 2}) == Numbers{3, 4}));  // 1 0 0 | (3) 1 | 5 ...
    CHECK((entries({1, 2}) == Numbers{1, 3}));
    CHECK(entries({}).empty());
    CHECK((entries({12}) == Numbers{10}));
    // Those from the first on that leads out are left out, as those that kvazaar writes in slices of dependent segments.
    CHECK(entries({13}).empty() && (entries({6, 7}) == Numbers{5}));
    CHECK((entries({3, 1}) == Numbers{3}));  // a substream of nothing but an escape
    CHECK(!thrown<Damage>([&] { entries({1, 1, 1}); }).empty());  // four substreams of three rows
}

static void test_recovery_point() {
    const auto count = [](const Part& messages) {
        BitWriter out;
        messages(out);
        return recovery_poc_cnt(out.payload());
    };
    const auto other = [](BitWriter& out) { out.bits(255, 8).bits(3, 8).bits(2, 8).bits(0xFFFF, 16); };
    CHECK(count([&](BitWriter& out) { other(out), out.bits(6, 8).bits(2, 8).se(12).bits(0, 2).bits(1, 1); }) == 12);
    CHECK(count([](BitWriter& out) { out.bits(6, 8).bits(1, 8).se(0).bits(1, 1).bits(0, 1).bits(1, 1); }) == 0);
    CHECK(count([](BitWriter& out) { out.bits(6, 8).bits(1, 8).se(-2).bits(1, 1).bits(0, 1).bits(1, 1); }) == -1);
    CHECK(count(other) == -1 && recovery_poc_cnt(Payload{Bytes(Payload::PADDING), 0, {}}) == -1);
}

int main() {
    test_long_term_pictures();
    test_predicted_slice();
    test_broken_headers();
    test_dependent_segments();
    test_entry_points();
    test_recovery_point();
    if (failures == 0) std::printf("hevc headers: as they should be\n");
    return failures != 0;
}
