// NAL units, parameter sets, slice headers and slice groups, on bits made up here (ITU-T H.264, 7.3, 7.4, 8.2.2).
#include <cstdio>
#include <functional>
#include <random>
#include <string>

#include "bit_writer.h"
#include "check.h"
#include "h264/headers.h"
#include "nal.h"

using namespace edgecvar;
using namespace edgecvar::h264;
using Bytes = std::vector<uint8_t>;
using Numbers = std::vector<int>;

template <class Error>
static std::string thrown(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

// --- NAL units ---

static Numbers types(const Bytes& data, int length_size, bool& broken) {
    Numbers found;
    for (const NalUnit& unit : split(data.data(), data.size(), length_size, broken)) found.push_back(unit.type);
    return found;
}

static void test_split() {
    bool broken = true;
    CHECK(types({}, 0, broken).empty() && !broken);
    CHECK(types({}, 4, broken).empty() && !broken);
    CHECK(types({0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, 0, broken).empty() && !broken);
    CHECK(types({0, 0, 0, 0, 0}, 0, broken).empty() && !broken);
    CHECK(types({1, 2, 3}, 0, broken).empty() && broken);
    CHECK(types({0, 0}, 0, broken).empty() && !broken);
    CHECK((types({9, 0, 0, 1, 0x67, 7, 0, 0, 0, 0, 1, 0x68, 1, 0, 0, 1}, 0, broken) == Numbers{7, 8}) && !broken);
    CHECK((types({0, 0, 1, 0xE7, 7, 0, 0, 1, 0x68}, 0, broken) == Numbers{8}) && broken);  // forbidden_zero_bit

    CHECK((types({2, 0x67, 9, 0, 1, 0x68}, 1, broken) == Numbers{7, 8}) && !broken);
    CHECK((types({0, 2, 0x67, 9, 0, 1, 0x68}, 2, broken) == Numbers{7, 8}) && !broken);
    CHECK((types({0, 0, 0, 2, 0x67, 9, 0, 0, 0, 9, 0x68}, 4, broken) == Numbers{7}) && broken);
    CHECK((types({0, 0, 0, 2, 0x67, 9, 0, 0}, 4, broken) == Numbers{7}) && broken);
    CHECK(types({255, 255, 255, 255, 0x67}, 4, broken).empty() && broken);
    CHECK((types({0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x68, 5}, 4, broken) == Numbers{7, 8}) && !broken);  // Annex B
    CHECK((types({0, 0, 0, 6, 0x41, 9, 0, 0, 1, 0x0A}, 4, broken) == Numbers{1, 10}) && !broken);  // end of sequence
    const Bytes data{0, 0, 1, 0x65, 8, 0, 0, 0, 0, 1, 0x41};
    const std::vector<NalUnit> units = split(data.data(), data.size(), 0, broken);
    CHECK(units.size() == 2 && units[0].size == 2 && units[0].ref_idc == 3 && units[1].ref_idc == 2);
}

static Bytes unescaped(const Bytes& unit, Payload& payload) {
    unescape({0, 0, unit.data(), unit.size()}, payload);
    for (size_t i = 0; i < Payload::PADDING; ++i) CHECK(payload.bytes[payload.size + i] == 0);
    return Bytes(payload.bytes.begin(), payload.bytes.begin() + std::ptrdiff_t(payload.size));
}

static void test_unescape() {
    Payload payload;
    CHECK(unescaped({}, payload).empty() && unescaped({0x67}, payload).empty());
    CHECK((unescaped({0x67, 1, 0, 0, 3, 1, 2}, payload) == Bytes{1, 0, 0, 1, 2}));
    CHECK((unescaped({0x67, 0, 0, 3, 0, 0, 3}, payload) == Bytes{0, 0, 0, 0}));
    CHECK((unescaped({0x67, 0, 0, 3, 3, 3}, payload) == Bytes{0, 0, 3, 3}));
    CHECK((unescaped({0, 0, 3, 5}, payload) == Bytes{0, 3, 5}));  // the header byte does not count as a zero
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        Bytes unit(random() % 40), expected;
        for (uint8_t& byte : unit) byte = uint8_t(random() % 3 == 0 ? 3 : random() % 4 == 0);
        int zeros = 0;
        for (size_t i = 1; i < unit.size(); ++i) {
            const bool escape = zeros >= 2 && unit[i] == 3;
            if (!escape) expected.push_back(unit[i]);
            zeros = unit[i] == 0 ? zeros + 1 : 0;
        }
        CHECK(unescaped(unit, payload) == expected);
    }
}

static void test_extradata() {
    const Bytes record{1, 66, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 1, 1, 0, 1, 0x68};
    const Extradata read = read_extradata(record.data(), record.size());
    CHECK(read.length_size == 4 && read.units.size() == 2 && read.units[0] == (Bytes{0x67, 1}));
    for (size_t size = 1; size < record.size(); ++size) {
        const Bytes part(record.begin(), record.begin() + std::ptrdiff_t(size));
        CHECK(!thrown<Damage>([&] { read_extradata(part.data(), part.size()); }).empty());
    }
    const Bytes annex_b{0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68};
    CHECK(read_extradata(annex_b.data(), annex_b.size()).units.size() == 2);
    CHECK(read_extradata(nullptr, 0).length_size == 0);
}

// --- Parameter sets and slice headers ---

struct SpsBits {
    uint32_t profile = 66, level = 30, chroma_format = 1, depth = 8, poc_type = 0, refs = 4, width = 5, height = 5;
    bool frame_mbs_only = true;
    std::function<void(BitWriter&)> scaling, vui;

    Payload payload() const {
        BitWriter out;
        out.bits(profile, 8).bits(0, 8).bits(level, 8).ue(0);
        if (profile == 100) {
            out.ue(chroma_format);
            if (chroma_format == 3) out.bits(0, 1);
            out.ue(depth - 8).ue(depth - 8).bits(0, 1).bits(scaling ? 1 : 0, 1);
            if (scaling) scaling(out);
        }
        out.ue(0).ue(poc_type);  // 4 bits of frame_num
        if (poc_type == 0) out.ue(0);
        if (poc_type == 1) out.bits(0, 1).se(-1).se(-2).ue(2).se(2).se(4);
        out.ue(refs).bits(0, 1).ue(width - 1).ue(height - 1).bits(frame_mbs_only, 1);
        if (!frame_mbs_only) out.bits(0, 1);
        out.bits(1, 1).bits(1, 1).ues({0, 1, 0, 2}).bits(vui ? 1 : 0, 1);
        if (vui) vui(out);
        return out.payload();
    }
};

static BitWriter pps_bits(bool cabac = false, bool weighted = false) {
    BitWriter out;
    out.ues({0, 0}).bits(cabac, 1).bits(0, 1).ue(0).ues({0, 0}).bits(weighted, 1).bits(0, 2).se(0).se(0).se(-2);
    return out.bits(1, 1).bits(0, 2);
}

static SliceHeader read_slice(ParameterSets& sets, const BitWriter& slice, int type = 1, int ref_idc = 2) {
    NalUnit unit;
    unit.type = type;
    unit.ref_idc = ref_idc;
    return sets.read_slice_header(unit, slice.payload());
}

static const BitWriter FIRST_SLICE = BitWriter().ues({0, 7, 0}).bits(0, 4).ue(0).bits(0, 4).bits(0, 2).se(0).ue(1);

static void test_sps() {
    SpsBits bits;
    bits.vui = [](BitWriter& out) {  // Extended_SAR, timing, NAL HRD, restriction
        out.bits(1, 1).bits(255, 8).bits(0x00010001, 32).bits(0, 3).bits(1, 1).bits(1, 32).bits(50, 32).bits(1, 1);
        out.bits(1, 1).ue(1).bits(0, 8).ues({9, 9}).bits(0, 1).ues({9, 9}).bits(0, 1).bits(0, 20).bits(0, 1);
        out.bits(0, 1).bits(0, 1).bits(1, 1).bits(1, 1).ues({0, 0, 9, 9, 2, 4});
    };
    ParameterSets sets;
    sets.read_sps(bits.payload());
    sets.read_pps(pps_bits().payload());
    const SliceHeader header = read_slice(sets, FIRST_SLICE, 5);
    const Sps& sps = *header.sps;
    CHECK(sps.mb_width == 5 && sps.mb_height == 5 && sps.crop_right == 2 && sps.crop_bottom == 4);
    CHECK(sps.bitstream_restriction && sps.max_num_reorder_frames == 2 && sps.reorder_limit() == 2);
    CHECK(sps.max_dpb_frames() == 16 && header.idr && header.type == SliceType::I && header.disable_deblocking == 1);
    CHECK(header.data_position == FIRST_SLICE.position() && header.pps->chroma_qp_offset[1] == -2);

    sets.read_sps(bits.payload());
    CHECK(read_slice(sets, FIRST_SLICE, 5).sps == header.sps);  // repeated: the same set
    bits.width = 6;
    sets.read_sps(bits.payload());
    CHECK(read_slice(sets, FIRST_SLICE, 5).sps->mb_width == 6);

    Sps level;
    level.mb_width = 120, level.mb_height = 68, level.level_idc = 40;
    CHECK(level.max_dpb_frames() == 4);
    level.level_idc = 10, level.max_num_ref_frames = 3;
    CHECK(level.max_dpb_frames() == 3);
    level.mb_width = 11, level.mb_height = 9, level.level_idc = 11, level.profile_idc = 66;
    CHECK(level.max_dpb_frames() == 9);
    level.constraint_flags = 0x10;
    CHECK(level.max_dpb_frames() == 4 && level.reorder_limit() == 4);
    level.bitstream_restriction = true, level.max_num_reorder_frames = 1;
    CHECK(level.reorder_limit() == 1);
    level.poc_type = 2;
    CHECK(level.reorder_limit() == 0);
}

static void test_refused_sets() {
    const auto refusal = [](const SpsBits& bits) {
        ParameterSets sets;
        return thrown<Unsupported>([&] { sets.read_sps(bits.payload()); });
    };
    SpsBits interlaced, chroma, depth;
    interlaced.frame_mbs_only = false;
    chroma.profile = depth.profile = 100;
    CHECK(refusal(interlaced) == "interlaced coding");
    chroma.chroma_format = 2;
    CHECK(refusal(chroma) == "4:2:2");
    chroma.chroma_format = 3;
    CHECK(refusal(chroma) == "4:4:4");
    depth.depth = 10;
    CHECK(refusal(depth).empty());
    depth.depth = 12;
    CHECK(!refusal(depth).empty());

    ParameterSets sets;
    SpsBits bits;
    sets.read_sps(bits.payload());
    sets.read_pps(pps_bits().payload());
    bits.width = 1025;
    CHECK(thrown<Damage>([&] { sets.read_sps(bits.payload()); }) == "size 16400x80");
    bits = SpsBits();
    bits.refs = 17;
    CHECK(!thrown<Damage>([&] { sets.read_sps(bits.payload()); }).empty());
    CHECK(read_slice(sets, FIRST_SLICE, 5).sps->mb_width == 5);  // the old one stays
    CHECK(!thrown<Damage>([&] { sets.read_pps(Payload{Bytes(Payload::PADDING), 0}); }).empty());
    CHECK(thrown<Unsupported>([&] { read_slice(sets, BitWriter().ues({0, 3, 0})); }) == "SP and SI slices");
    CHECK(!thrown<Damage>([&] { read_slice(sets, BitWriter().ues({0, 2, 9})); }).empty());
    CHECK(!thrown<Damage>([&] { read_slice(sets, BitWriter().ues({25, 2, 0})); }).empty());
    CHECK(!thrown<Damage>([&] { read_slice(sets, BitWriter().ues({0, 2, 0})); }).empty());
    CHECK(!thrown<Unsupported>([&] { sets.read_sps(interlaced.payload()); }).empty());
    CHECK(thrown<Unsupported>([&] { read_slice(sets, FIRST_SLICE, 5); }) == "interlaced coding");
}

static void test_scaling_lists() {
    SpsBits bits;
    bits.profile = 100;
    bits.scaling = [](BitWriter& out) {  // Intra Y flat 5, Inter Y default by its flag, 8x8 Intra flat 7
        out.bits(1, 1).se(-3);
        for (int i = 0; i < 15; ++i) out.se(0);
        out.bits(0, 2).bits(1, 1).se(-8).bits(0, 2).bits(1, 1).se(-1).se(-7).bits(0, 1);
    };
    ParameterSets sets;
    sets.read_sps(bits.payload());
    sets.read_pps(pps_bits().payload());
    const ScalingLists sequence = read_slice(sets, FIRST_SLICE, 5).pps->scaling;
    CHECK(sequence.lists4x4[0][15] == 5 && sequence.lists4x4[2][3] == 5);                               // rule set A
    CHECK(sequence.lists4x4[3][0] == 10 && sequence.lists4x4[5][15] == 34);
    CHECK(sequence.lists8x8[0][0] == 7 && sequence.lists8x8[0][63] == 7 && sequence.lists8x8[1][63] == 35);

    BitWriter own = pps_bits();  // Cb Intra flat 9, the rest by rule set B
    own.bits(1, 1).bits(1, 1).bits(0, 1).bits(1, 1).se(1);
    for (int i = 0; i < 15; ++i) own.se(0);
    own.bits(0, 6).se(3);
    sets.read_pps(own.payload());
    const Pps pps = *read_slice(sets, FIRST_SLICE, 5).pps;
    CHECK(pps.transform_8x8 && pps.chroma_qp_offset[1] == 3);
    CHECK(pps.scaling.lists4x4[0][0] == 5 && pps.scaling.lists4x4[1][0] == 9 && pps.scaling.lists4x4[2][9] == 9);
    CHECK(pps.scaling.lists4x4[3] == sequence.lists4x4[3] && pps.scaling.lists8x8 == sequence.lists8x8);
    bits.scaling = nullptr;
    sets.read_sps(bits.payload());  // a PPS is resolved anew: rule set A
    const Pps anew = *read_slice(sets, FIRST_SLICE, 5).pps;
    CHECK(anew.scaling.lists4x4[0][0] == 6 && anew.scaling.lists4x4[2][0] == 9 && anew.scaling.lists8x8[0][0] == 6);
}

static void test_slice_header() {
    ParameterSets sets;
    sets.read_sps(SpsBits().payload());
    sets.read_pps(pps_bits(true, true).payload());
    BitWriter slice;
    slice.ues({3, 0, 0}).bits(5, 4).bits(6, 4).bits(1, 1).ue(1);        // two active
    slice.bits(1, 1).ues({0, 2, 2, 1, 3});                              // modifications
    slice.ues({5, 3}).bits(1, 1).se(-7).se(3).bits(0, 1).bits(0, 1).bits(1, 1).se(1).se(2).se(3).se(4);
    slice.bits(1, 1).ues({1, 0, 3, 1, 2, 4, 1, 6, 0, 0});               // marking
    slice.ue(2).se(-4).ue(0).se(1).se(-1);
    const SliceHeader header = read_slice(sets, slice);
    CHECK(header.first_mb == 3 && header.frame_num == 5 && header.poc_lsb == 6 && header.num_ref_idx[0] == 2);
    CHECK(header.modifications[0].size() == 2 && header.modifications[0][0].value == 3);
    CHECK(header.modifications[0][1].idc == 2 && header.modifications[0][1].value == 1);
    CHECK(header.explicit_weights && header.weights[0][0].weight[0] == -7 && header.weights[0][0].offset[0] == 3);
    CHECK(header.weights[0][0].weight[1] == 8 && header.weights[0][1].weight[0] == 32);
    CHECK(header.weights[0][1].offset[2] == 4 && header.weights[1][5].weight[0] == 32);
    CHECK(header.marking.size() == 4 && header.marking[1].first == 2 && header.marking[1].second == 2);
    CHECK(header.cabac_init_idc == 2 && header.qp == 22 && header.data_position == slice.position());
    SliceHeader other = header;
    CHECK(!starts_picture(header, other));
    other.first_mb = 9, other.nal_ref_idc = 1;
    CHECK(!starts_picture(header, other));
    other.nal_ref_idc = 0;
    CHECK(starts_picture(header, other));

    BitWriter groups;  // 25 map units, rate 10: Ceil(Log2(3.5)) = 2 bits
    groups.ues({0, 0}).bits(0, 2).ues({1, 3}).bits(1, 1).ue(9).ues({0, 0}).bits(0, 3).se(0).se(0).se(0).bits(0, 3);
    sets.read_pps(groups.payload());
    BitWriter evolving;
    evolving.ues({0, 7, 0}).bits(0, 4).ue(0).bits(0, 4).bits(0, 2).se(0).bits(2, 2);
    CHECK(read_slice(sets, evolving, 5).slice_group_change_cycle == 2);
}

static std::string map_of(Pps pps, uint32_t cycle = 0, int width = 5, int height = 5) {
    Sps sps;
    sps.mb_width = width, sps.mb_height = height;
    SliceHeader header;
    header.slice_group_change_cycle = cycle;
    std::string drawn;
    const std::vector<uint8_t> map = slice_group_map(sps, pps, header);
    for (size_t i = 0; i < map.size(); ++i) {
        drawn += char('0' + map[i]);
        if ((i + 1) % size_t(width) == 0) drawn += ' ';
    }
    return drawn;
}

static void test_slice_groups() {
    Pps pps;
    CHECK(map_of(pps, 0, 2, 2) == "00 00 ");
    pps.num_slice_groups = 3, pps.run_length = {2, 1, 3};
    CHECK(map_of(pps, 0, 5, 2) == "00122 20012 ");
    pps.slice_group_map_type = 1;
    CHECK(map_of(pps, 0, 5, 3) == "01201 12012 01201 ");
    pps.slice_group_map_type = 2, pps.top_left = {6, 0}, pps.bottom_right = {12, 7};
    CHECK(map_of(pps, 0, 5, 3) == "11122 10022 20022 ");
    pps.num_slice_groups = 2, pps.slice_group_map_type = 3;
    CHECK(map_of(pps, 6) == "11111 10001 10001 11111 11111 ");
    CHECK(map_of(pps, 0) == "11111 11111 11111 11111 11111 " && map_of(pps, 99).find('1') == std::string::npos);
    pps.slice_group_change_direction = true;
    CHECK(map_of(pps, 3) == "11111 11111 11011 11001 11111 ");
    pps.slice_group_change_rate = 4, pps.slice_group_map_type = 4;
    CHECK(map_of(pps, 2, 5, 3) == "11111 11000 00000 ");
    pps.slice_group_map_type = 5;
    CHECK(map_of(pps, 2, 5, 3) == "11100 11000 11000 ");
    pps.slice_group_change_direction = false;
    CHECK(map_of(pps, 1, 5, 3) == "00111 01111 01111 ");
    pps.slice_group_map_type = 6, pps.slice_group_id = {0, 1, 1, 0};
    CHECK(map_of(pps, 0, 2, 2) == "01 10 ");
    CHECK(map_of(pps, 0, 3, 2) == "011 000 ");  // too few: no read past the end
}

int main() {
    test_split();
    test_unescape();
    test_extradata();
    test_sps();
    test_refused_sets();
    test_scaling_lists();
    test_slice_header();
    test_slice_groups();
    if (failures == 0) std::printf("headers: as they should be\n");
    return failures != 0;
}
