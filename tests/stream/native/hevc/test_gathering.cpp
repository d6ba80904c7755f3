// Which slice segments make a picture, on packets made up here (ITU-T H.265, 7.4.2.4.5 and 7.4.7.1).
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bit_writer.h"
#include "check.h"
#include "hevc/picture_gatherer.h"

using namespace edgecvar;
using namespace edgecvar::hevc;
using Numbers = std::vector<int>;

namespace {

// What the parser was given of a picture.
struct Given {
    Numbers addresses, slices;  // by segment
    int collocated = -1;        // order count of the first slice's
    bool motion = false;        // whether that has some
    bool unreliable = false;
    size_t kept = 0;            // slices of the store
    int width = 0, height = 0;
};

struct Recorder : edgecvar::PictureParser {
    explicit Recorder(std::vector<Given>& given) : given_(given) {}
    void parse(const edgecvar::GatheredPicture& gathered) override {
        const auto& picture = static_cast<const hevc::GatheredPicture&>(gathered);
        Given given;
        for (size_t i = 0; i < picture.count; ++i) {
            given.addresses.push_back(picture.segments[i].header.segment_address);
            given.slices.push_back(picture.segments[i].slice);
        }
        const MotionStore& store = *picture.picture->motion;
        CHECK(store.ref_log2 == 0 && store.flag_log2 == 1 && picture.collocated.size() == store.slices.size());
        if (picture.collocated[0].tag) given.collocated = picture.collocated[0].tag->poc;
        given.motion = picture.collocated[0].motion != nullptr;
        given.unreliable = picture.unreliable;
        given.kept = store.slices.size();
        given.width = store.width;
        given.height = store.height;
        given_.push_back(given);
    }

private:
    std::vector<Given>& given_;
};

struct SegmentBits {
    int nal_type = TRAIL_R, poc = 0, address = 0;
    char type = 'P';       // D: a dependent segment
    Numbers references;    // order counts that it may refer to, all before it
    int temporal_id = 0, pps = 0, address_bits = 4;
    bool whole = true;     // false: it breaks off
};

void append(int type, const BitWriter& bits, std::vector<uint8_t>& bytes, int temporal_id = 0) {
    const Payload payload = bits.payload();
    append_unit({uint8_t(type << 1), uint8_t(temporal_id + 1)},
                {payload.bytes.begin(), payload.bytes.begin() + std::ptrdiff_t(payload.size)}, bytes);
}

BitWriter sequence_set(int id, uint32_t width, uint32_t height) {
    BitWriter out;
    out.bits(0, 4).bits(0, 3).bits(1, 1);                                       // VPS 0, one sub-layer
    out.bits(0, 3).bits(1, 5).bits(0, 32).bits(0, 32).bits(0, 16).bits(93, 8);  // Main, level 3.1
    out.ue(uint32_t(id)).ue(1).ue(width).ue(height).bits(0, 1).ues({0, 0, 0}).bits(1, 1).ues({4, 2, 0});
    out.ues({0, 1, 0, 2, 0, 0}).bits(0, 4);                                     // coding trees of 16x16 samples
    out.ue(0).bits(0, 1).bits(1, 1).bits(0, 3);                                 // temporal motion vectors
    return out;
}

BitWriter picture_set(int id, int sps, bool tiles = false) {
    BitWriter out;
    out.ues({uint32_t(id), uint32_t(sps)}).bits(1, 1).bits(0, 6).ues({0, 0, 0}).bits(0, 3).ues({0, 0}).bits(0, 4);
    out.bits(tiles, 1).bits(0, 1);
    if (tiles) out.ues({1, 0}).bits(2, 2);  // two columns alike
    out.bits(0, 4).ue(0).bits(0, 2);
    return out;
}

BitWriter segment_bits(const SegmentBits& segment) {
    BitWriter out;
    const bool irap = segment.nal_type >= BLA_W_LP;
    out.bits(segment.address == 0, 1);
    if (irap) out.bits(0, 1);
    out.ue(uint32_t(segment.pps));
    if (segment.address > 0)
        out.bits(segment.type == 'D', 1).bits(uint32_t(segment.address), unsigned(segment.address_bits));
    if (segment.type != 'D') {
        out.ue(segment.type == 'B' ? 0 : segment.type == 'P' ? 1 : 2);
        if (segment.nal_type != IDR_W_RADL) {
            out.bits(uint32_t(segment.poc) & 15, 4).bits(0, 1).ue(uint32_t(segment.references.size())).ue(0);
            int last = segment.poc;
            for (const int poc : segment.references) {
                out.ue(uint32_t(last - poc - 1)).bits(1, 1);
                last = poc;
            }
            out.bits(1, 1);                                       // slice_temporal_mvp_enabled_flag
        }
        if (segment.type != 'I') out.bits(0, 1);                  // num_ref_idx_active_override_flag
        if (segment.type == 'B') out.bits(0, 1).bits(1, 1);       // mvd_l1_zero_flag, collocated_from_l0_flag
        if (segment.type != 'I') out.ue(0);
        out.se(0);
    }
    if (segment.pps == 2) out.ue(0);                              // of tiles: no entry points
    if (!segment.whole) return out;
    out.bits(1, 1);
    while (out.position() % 8 != 0) out.bits(0, 1);
    return out.bits(0x5555, 16);
}

// Sequence 0 is 64x48 and has picture sets 0, 1 and, with tiles, 2; sequence 1 is 32x32 and has 3.
struct Stream {
    std::vector<Given> given;
    ParsingPlan plan{1, false, [this](int) { return std::make_unique<Recorder>(given); }};
    PictureGatherer gatherer{plan};
    ParameterSets sets;
    std::vector<uint8_t> packet;
    PictureGatherer::Pictures pictures;
    uint32_t number = 0;

    Stream() {
        for (const int id : {0, 1}) sets.read_sps(sequence_set(id, id ? 32 : 64, id ? 32 : 48).payload());
        for (const int id : {0, 1, 2, 3}) sets.read_pps(picture_set(id, id == 3, id == 2).payload());
    }
    Stream& add(const SegmentBits& segment) {
        append(segment.nal_type, segment_bits(segment), packet, segment.temporal_id);
        return *this;
    }
    Stream& end_of_sequence() {
        packet.insert(packet.end(), {0, 0, 1, END_OF_SEQUENCE << 1, 1});
        return *this;
    }
    // Reads the packet; gives how many units, or pictures, of it were damaged.
    int read(Parsing parsing = Parsing::EVERY) {
        int damages = 0;
        const auto guarded = [&](const auto& step) {
            try {
                step();
            } catch (const Damage&) {
                ++damages;
            }
        };
        bool broken = false;
        given.clear();
        pictures.clear();
        gatherer.begin(sets, number++, parsing);
        for (const NalUnit& unit : split(packet.data(), packet.size(), 0, broken, Standard::HEVC)) {
            guarded([&] {
                if (unit.type == PREFIX_SEI) {
                    gatherer.add_message(unit);
                } else if (unit.type == END_OF_SEQUENCE) {
                    gatherer.end_sequence(pictures);
                } else {
                    gatherer.add_slice(unit, pictures);
                }
            });
        }
        guarded([&] { gatherer.finish(pictures); });
        packet.clear();
        if (parsing == Parsing::EVERY) CHECK(given.size() == pictures.size());
        return damages;
    }
    Stream& idr() {
        add({IDR_W_RADL, 0, 0, 'I', {}});
        CHECK(read() == 0 && pictures.size() == 1 && pictures[0]->resets_order);
        return *this;
    }
    Numbers orders() const {
        Numbers orders;
        for (const auto& picture : pictures) orders.push_back(picture->tag->poc);
        return orders;
    }
};

void test_slices() {
    Stream stream;
    stream.add({IDR_W_RADL, 0, 0, 'I', {}}).add({IDR_W_RADL, 0, 3, 'D', {}}).add({IDR_W_RADL, 0, 5, 'I', {}});
    CHECK(stream.read() == 0 && stream.given.size() == 1);
    CHECK((stream.given[0].addresses == Numbers{0, 3, 5}) && (stream.given[0].slices == Numbers{0, 0, 1}));
    CHECK(stream.given[0].kept == 2 && stream.given[0].width == 16 && stream.given[0].height == 12);
    const std::shared_ptr<ParsedPicture> idr = stream.pictures[0];
    CHECK(idr->kind == SliceType::I && idr->random_access && idr->reference && idr->resets_order && !idr->motion);

    stream.add({TRAIL_R, 4, 0, 'P', {0}}).add({TRAIL_R, 4, 5, 'I', {0}}).add({TRAIL_R, 4, 7, 'D', {}});
    CHECK(stream.read(Parsing::AT_ONCE) == 0 && (stream.given[0].slices == Numbers{0, 1, 1}));
    CHECK(stream.given[0].collocated == 0 && !stream.given[0].motion);
    const std::shared_ptr<ParsedPicture> p = stream.pictures[0];
    CHECK(p->kind == SliceType::P && !p->random_access && p->reference && !p->resets_order && p->motion);
    CHECK(p->motion->slices[0].lists[0][0] == idr->tag && p->motion->slices[1].lists[0].empty());
    stream.add({TRAIL_N, 3, 0, 'P', {0}}).add({TRAIL_N, 3, 6, 'B', {0}});
    CHECK(stream.read(Parsing::AT_ONCE) == 0 && stream.pictures[0]->kind == SliceType::B);
    CHECK(!stream.pictures[0]->reference && stream.pictures[0]->lost == 0);
    stream.add({TRAIL_R, 5, 0, 'P', {4, 2}});
    CHECK(stream.read() == 0 && stream.pictures[0]->lost == 2 && stream.pictures[0]->tag->number == 3);
    CHECK(stream.given[0].collocated == 4 && !stream.given[0].motion);  // 4 has left with picture 3

    stream.idr().add({TRAIL_R, 1, 0, 'P', {0}}).read();
    stream.add({TRAIL_R, 2, 0, 'P', {1}});
    CHECK(stream.read() == 0 && stream.given[0].collocated == 1 && stream.given[0].motion);
    stream.add({TRAIL_R, 3, 0, 'I', {2}});
    CHECK(stream.read(Parsing::AT_ONCE) == 0 && stream.given.empty() && stream.pictures.size() == 1);
}

void test_pictures_of_a_packet() {
    Stream stream;
    stream.idr();
    stream.add({TRAIL_R, 1, 0, 'P', {0}}).add({TRAIL_R, 1, 6, 'P', {0}});
    stream.add({TRAIL_R, 2, 0, 'P', {1}}).add({TRAIL_R, 3, 6, 'P', {2}});  // of the third the first segment is lost
    stream.add({TRAIL_N, 3, 7, 'P', {2}}).add({TRAIL_N, 3, 8, 'P', {2}, 1});
    CHECK(stream.read() == 0 && (stream.orders() == Numbers{1, 2, 3, 3, 3}));
    CHECK((stream.given[0].addresses == Numbers{0, 6}) && (stream.given[2].addresses == Numbers{6}));
    stream.add({IDR_W_RADL, 0, 0, 'I', {}}).add({IDR_W_RADL, 0, 6, 'I', {}}).add({IDR_W_RADL, 0, 4, 'I', {}});
    stream.add({IDR_W_RADL, 0, 8, 'I', {}}).add({IDR_W_RADL, 0, 0, 'I', {}});
    CHECK(stream.read() == 0 && (stream.orders() == Numbers{0, 0, 0}));
    CHECK((stream.given[1].addresses == Numbers{4, 8}) && stream.pictures[1]->resets_order);
}

void test_order_of_segments() {
    Stream stream;
    stream.idr();
    stream.add({TRAIL_R, 1, 0, 'P', {0}}).add({TRAIL_R, 1, 0, 'P', {0}}).add({TRAIL_R, 1, 3, 'D', {}});  // twice
    stream.add({TRAIL_R, 1, 6, 'P', {0}}).add({TRAIL_R, 1, 6, 'P', {0}}).add({TRAIL_R, 1, 7, 'D', {}});
    stream.add({TRAIL_R, 1, 4, 'P', {0}}).add({TRAIL_R, 1, 8, 'D', {}}).add({TRAIL_R, 1, 9, 'P', {0}});
    CHECK(stream.read() == 4 && stream.given.size() == 1);  // what 8 depends on was out of order
    CHECK((stream.given[0].addresses == Numbers{0, 3, 6, 7, 9}) && (stream.given[0].slices == Numbers{0, 0, 1, 1, 2}));
    stream.add({TRAIL_R, 2, 0, 'P', {1}}).add({TRAIL_R, 2, 4, 'P', {1}, 0, 1});  // another picture set
    CHECK(stream.read() == 1 && stream.given.size() == 1);

    stream.add({TRAIL_R, 3, 0, 'P', {2}, 0, 2})
        .add({TRAIL_R, 3, 4, 'P', {2}, 0, 2})
        .add({TRAIL_R, 3, 2, 'P', {2}, 0, 2});
    stream.add({TRAIL_R, 3, 8, 'P', {2}, 0, 2}).add({TRAIL_R, 3, 6, 'P', {2}, 0, 2});
    CHECK(stream.read() == 1 && stream.given.size() == 1);  // the left tile is 0 1 4 5 8 9
    CHECK((stream.given[0].addresses == Numbers{0, 4, 2, 6}));
}

void test_dependent_segments() {
    Stream stream;
    stream.idr();
    SegmentBits broken{TRAIL_R, 1, 4, 'P', {0}};
    broken.whole = false;
    stream.add({TRAIL_R, 1, 0, 'P', {0}}).add({TRAIL_R, 1, 2, 'D', {}}).add(broken).add({TRAIL_R, 1, 6, 'D', {}});
    stream.add({TRAIL_R, 1, 7, 'P', {0}}).add({TRAIL_R, 1, 8, 'D', {}});
    CHECK(stream.read() == 2 && (stream.given[0].addresses == Numbers{0, 2, 7, 8}));
    stream.add({TRAIL_R, 2, 3, 'D', {}});
    CHECK(stream.read() == 1 && stream.pictures.empty());
    stream.add({TRAIL_R, 2, 0, 'P', {1}}).add({TRAIL_N, 2, 4, 'D', {}}).add({TRAIL_R, 2, 5, 'D', {}, 1});
    stream.add({TRAIL_R, 2, 6, 'D', {}});
    CHECK(stream.read() == 2 && stream.given.size() == 1 && (stream.given[0].addresses == Numbers{0, 6}));
}

void test_sequences() {
    Stream stream;
    stream.idr().add({TRAIL_R, 5, 0, 'P', {0}}).add({CRA, 8, 0, 'I', {5}});
    CHECK(stream.read() == 0 && !stream.pictures[1]->resets_order && stream.pictures[1]->random_access);
    stream.add({RASL_N, 7, 0, 'P', {5}});
    CHECK(stream.read() == 0 && !stream.given[0].unreliable && stream.pictures[0]->lost == 0);
    stream.add({TRAIL_R, 9, 0, 'P', {8}}).end_of_sequence().add({CRA, 8, 0, 'I', {5}}).add({RASL_N, 7, 0, 'P', {5}});
    CHECK(stream.read() == 0 && (stream.orders() == Numbers{9, 8, 7}));
    CHECK(!stream.pictures[0]->resets_order && stream.pictures[1]->resets_order && stream.given[2].unreliable);
    CHECK(stream.pictures[2]->lost == 0 && stream.pictures[2]->motion->slices[0].lists[0][0]->lost);
    stream.add({TRAIL_R, 9, 0, 'P', {8}}).end_of_sequence().add({TRAIL_R, 9, 6, 'P', {8}});
    CHECK(stream.read() == 0 && (stream.orders() == Numbers{9, 9}) && stream.pictures[1]->lost == 1);
    stream.end_of_sequence();
    CHECK(stream.read() == 0 && stream.pictures.empty());
    stream.add({CRA, 3, 0, 'I', {}});
    CHECK(stream.read() == 0 && stream.pictures[0]->resets_order);

    stream.add({CRA, 4, 0, 'I', {}, 0, 3});                       // another sequence set
    CHECK(stream.read() == 0 && stream.pictures[0]->resets_order && stream.given[0].width == 8);
    CHECK(stream.pictures[0]->sequence->coded_width == 32);
    stream.add({TRAIL_R, 5, 0, 'P', {4}});                        // and back, as no sound stream does
    CHECK(stream.read() == 0 && stream.pictures[0]->lost == 1 && !stream.given[0].motion);

    stream.idr().add({TRAIL_R, 1, 0, 'P', {0}});
    const PictureGatherer::Place place = stream.gatherer.place();
    stream.read();
    stream.gatherer.go_back(place);
    stream.add({TRAIL_R, 2, 0, 'P', {1}});
    CHECK(stream.read() == 0 && stream.pictures[0]->lost == 1);
}

void test_messages() {
    Stream stream;
    append(PREFIX_SEI, BitWriter().bits(6, 8).bits(1, 8).se(5).bits(2, 2).bits(1, 1), stream.packet);
    stream.idr();
    CHECK(stream.pictures[0]->recovery_count == 5);
    stream.add({TRAIL_R, 1, 0, 'P', {0}});
    CHECK(stream.read() == 0 && stream.pictures[0]->recovery_count == -1);
}

// As many as no lawful stream has.
void test_many_segments() {
    Stream stream;
    stream.sets.read_sps(sequence_set(2, 1024, 1088).payload());
    stream.sets.read_pps(picture_set(4, 2).payload());
    for (int address = 0; address < 64 * 68; ++address) {
        stream.add({IDR_W_RADL, 0, address, address % 2 ? 'D' : 'I', {}, 0, 4, 13});
    }
    CHECK(stream.read() == 64 * 68 - 4096 && stream.given.size() == 1 && stream.given[0].kept == 2048);
}

}  // namespace

int main() {
    test_slices();
    test_pictures_of_a_packet();
    test_order_of_segments();
    test_dependent_segments();
    test_sequences();
    test_messages();
    test_many_segments();
    if (failures == 0) std::printf("pictures of H.265: as they should be\n");
    return failures != 0;
}
