// I-pictures written as IDR pictures, on bits made up here (ITU-T H.265, 7.3.6, 7.4.7.1).
#include <cstdio>

#include "check.h"
#include "hevc/header_bits.h"
#include "hevc/irap_writer.h"

static Bytes unit(int type, const Payload& payload) {
    Bytes bytes;
    append_unit({uint8_t(type << 1), 1},
                Bytes(payload.bytes.begin(), payload.bytes.begin() + std::ptrdiff_t(payload.size)), bytes);
    return bytes;
}

static Bytes operator+(Bytes one, const Bytes& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
}

// What an access unit says, read back.
struct Read {
    Numbers types;
    std::vector<SliceHeader> headers;
    std::vector<Payload> payloads;

    explicit Read(const Bytes& bytes) {
        bool broken = false;
        ParameterSets sets;
        for (const NalUnit& each : split(bytes.data(), bytes.size(), 0, broken, Standard::HEVC)) {
            types.push_back(each.type);
            Payload payload;
            unescape(each, payload);
            if (each.type == SPS) sets.read_sps(payload);
            if (each.type == PPS) sets.read_pps(payload);
            if (each.type >= VPS) continue;
            headers.push_back(sets.read_slice_header(each, payload, headers.empty() ? nullptr : &headers.back()));
            payloads.push_back(payload);
        }
        CHECK(!broken);
    }

    Bytes data(size_t at) const {
        const auto begin = payloads[at].bytes.begin();
        return Bytes(begin + std::ptrdiff_t(headers[at].data_position / 8), begin + std::ptrdiff_t(payloads[at].size));
    }
};

static SpsBits sequence() {
    SpsBits sps;
    sps.crop = true, sps.sub_layers = 3;
    sps.sets = [](BitWriter& out) {
        out.ue(1);
        write_set(out, {-2, -4}, {2});
    };
    sps.long_term = [](BitWriter& out) { out.ue(1).bits(5, 8).bits(1, 1); };
    sps.vui = [](BitWriter& out) { out.bits(0, 3).bits(1, 1).ues({0, 0}).bits(0, 6); };
    return sps;
}

// 12 CTBs in three rows, substreams with bytes that need emulation prevention; a dependent segment of the last row.
struct Picture {
    PpsBits pps;
    int type = CRA;
    Bytes data{7, 0, 0, 1, 9, 0, 0, 0, 4, 6, 6, 6};
    Numbers sizes{5, 4};

    Picture() { pps.dependent = pps.output = pps.sync = pps.header_extension = true, pps.extra = 1; }

    void finish(BitWriter& slice, const Bytes& bytes) const {
        slice.ue(2).bits(0xBEEF, 16).bits(1, 1);  // the extension, and alignment
        while (slice.position() % 8 != 0) slice.bits(0, 1);
        for (const uint8_t byte : bytes) slice.bits(byte, 8);
    }

    Bytes packet() const {
        BitWriter slice = BitWriter().bits(1, 1);
        if (type >= BLA_W_LP) slice.bits(1, 1);
        slice.ue(0).bits(1, 1).ue(2).bits(0, 1);  // slice_reserved_flag, I, not put out
        if (type != IDR_W_RADL && type != IDR_N_LP) {
            slice.bits(99, 8).bits(1, 1).ue(0).ue(1).bits(77, 8).bits(1, 1).bits(1, 1).ue(3).bits(1, 1);
        }
        slice.bits(2, 2).se(1).bits(1, 1).ue(uint32_t(sizes.size())).ue(9);
        for (const int size : sizes) slice.bits(uint32_t(size - 1), 10);
        finish(slice, data);
        BitWriter dependent = BitWriter().bits(0, 1);
        if (type >= BLA_W_LP) dependent.bits(1, 1);
        dependent.ue(0).bits(1, 1).bits(8, 4).ue(0);
        finish(dependent, {3, 2});
        return unit(type, slice.payload()) + unit(type, dependent.payload());
    }

    Bytes sets(const SpsBits& sps = sequence()) const { return unit(SPS, sps.payload()) + unit(PPS, pps.payload()); }
};

static void test_a_picture_of_any_type_becomes_an_idr_picture() {
    for (const int type :
         {int(TRAIL_N), int(TRAIL_R), int(RASL_R), int(BLA_W_LP), int(IDR_W_RADL), int(IDR_N_LP), int(CRA)}) {
        Picture picture;
        picture.type = type;
        picture.sizes = {6, 5};  // with emulation prevention
        IrapWriter writer(nullptr, 0);
        const Bytes packet = picture.packet();
        const Read before(picture.sets() + packet);
        const Read read(writer.write(picture.sets(), packet.data(), packet.size()));
        CHECK((read.types == Numbers{DELIMITER, VPS, SPS, PPS, IDR_N_LP, IDR_N_LP}));
        const SliceHeader &first = read.headers[0], &second = read.headers[1];
        CHECK(first.first_in_picture && !first.no_output_of_prior_pics && first.type == SliceType::I &&
              first.pic_output);
        CHECK(first.long_term.empty() && first.short_term.before.empty() && !first.temporal_mvp);
        CHECK(first.sao_luma && !first.sao_chroma && first.qp == 24 && first.temporal_id == 0);
        CHECK(second.dependent && second.segment_address == 8 && second.qp == 24);
        for (size_t i = 0; i < 2; ++i) {
            CHECK(read.data(i) == before.data(i));
            const size_t moved = before.headers[i].data_position - read.headers[i].data_position;
            std::vector<size_t> entries = before.headers[i].entry_points;
            for (size_t& entry : entries) entry -= moved / 8;
            CHECK(read.headers[i].entry_points == entries && entries.size() == (i == 0 ? 2u : 0u));
        }
    }
}

static void test_the_sets_say_that_nothing_is_reordered() {
    const Picture picture;
    IrapWriter writer(nullptr, 0);
    const Bytes packet = picture.packet();
    const Sps sps = *Read(writer.write(picture.sets(), packet.data(), packet.size())).headers[0].sps;
    CHECK(sps.max_reorder == 0 && sps.max_dec_pic_buffering == 2 && sps.short_term_sets.empty() &&
          !sps.long_term_present);
    CHECK(sps.crop_left + sps.crop_right + sps.crop_top + sps.crop_bottom == 0 &&
          sps.window_end == sps.window_position + 1);
    CHECK(sps.coded_width == 64 && sps.coded_height == 48 && sps.ctb_log2 == 4 && sps.amp_enabled && sps.sao_enabled);
    CHECK(sps.temporal_mvp_enabled && sps.strong_intra_smoothing && sps.level_idc == 93 && sps.vps_id == 2);

    SpsBits other = sequence();
    other.width = 128;  // another set of the same id
    BitWriter whole =
        BitWriter().bits(1, 1).bits(0, 1).ue(0).bits(1, 1).ue(2).bits(1, 1).bits(0, 8).bits(1, 1).ue(0).ue(0);
    whole.bits(0, 1).bits(2, 2).se(1).bits(1, 1).ue(0);
    picture.finish(whole, {5});
    const Bytes larger = unit(CRA, whole.payload());
    CHECK(Read(writer.write(picture.sets(other), larger.data(), larger.size())).headers[0].sps->coded_width == 128);
}

static void test_what_cannot_be_written_is_refused_by_name() {
    const Picture picture;
    const Bytes packet = picture.packet();
    const auto refused = [&](const Bytes& sets, const Bytes& bytes) {
        IrapWriter writer(nullptr, 0);
        const std::string unsupported = thrown<Unsupported>([&] {
            try {
                writer.write(sets, bytes.data(), bytes.size());
            } catch (const Damage& damage) {
                throw Unsupported("damage: " + std::string(damage.what()));
            }
        });
        return unsupported;
    };
    CHECK(refused(picture.sets(), packet).empty());
    CHECK(refused({}, packet) == "damage: picture parameter set 0 did not come");
    CHECK(refused(picture.sets(), {}) == "damage: no slice");
    CHECK(refused(picture.sets(), packet + packet) == "several pictures in a packet");
    bool broken = false;
    const std::vector<NalUnit> units = split(packet.data(), packet.size(), 0, broken, Standard::HEVC);
    const Bytes second = Bytes{0, 0, 1} + Bytes(units[1].data, units[1].data + units[1].size);
    CHECK(refused(picture.sets(), packet + second) == "damage: dependent slice segment out of order");
    CHECK(refused(picture.sets(), second) == "damage: dependent slice segment without the one before");
    SpsBits sps = sequence();
    sps.luma = 10;
    CHECK(refused(picture.sets(sps), packet) == "more than 8 bit");
    sps.luma = 12;
    CHECK(refused(picture.sets(sps), packet) == "bit depth 12");
}

int main() {
    test_a_picture_of_any_type_becomes_an_idr_picture();
    test_the_sets_say_that_nothing_is_reordered();
    test_what_cannot_be_written_is_refused_by_name();
    if (failures == 0) std::printf("hevc irap_writer: as it should be\n");
    return failures != 0;
}
