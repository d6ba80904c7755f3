// Packets as a whole: several pictures in one, and more slices than a picture can have.
#include <cstdio>

#include "bit_writer.h"
#include "check.h"
#include "decoder.h"

using namespace edgecvar;

namespace {

void add_unit(std::vector<uint8_t>& stream, int header, const BitWriter& bits) {
    const Payload payload = bits.payload();
    stream.insert(stream.end(), {0, 0, 1, uint8_t(header)});
    int zeros = 0;
    for (size_t i = 0; i < payload.size; ++i) {
        const uint8_t byte = payload.bytes[i];
        if (zeros >= 2 && byte <= 3) {
            stream.push_back(3);
            zeros = 0;
        }
        stream.push_back(byte);
        zeros = byte ? 0 : zeros + 1;
    }
}

// Pictures of side x side macroblocks, Baseline, pic_order_cnt_type 0 with deltas, CAVLC; of two slice groups they are
// dispersed (slice_group_map_type 1).
std::vector<uint8_t> parameter_sets(uint32_t side = 1, uint32_t groups = 1) {
    std::vector<uint8_t> stream;
    BitWriter sps;
    sps.bits(66, 8).bits(0, 8).bits(30, 8).ues({0, 0, 0, 0, 1}).bits(0, 1).ues({side - 1, side - 1});
    sps.bits(1, 1).bits(1, 1).bits(0, 2);
    add_unit(stream, 0x67, sps);
    BitWriter pps;
    pps.ues({0, 0}).bits(0, 1).bits(1, 1).ue(groups - 1);
    if (groups > 1) pps.ue(1);
    pps.ues({0, 0}).bits(0, 3).se(0).se(0).se(0).bits(0, 3);
    add_unit(stream, 0x68, pps);
    return stream;
}

// An I picture whose macroblocks are not read, or a slice of a P picture that skips its macroblocks.
void add_slice(std::vector<uint8_t>& stream, int frame_num, int poc_lsb, int delta_poc_bottom, uint32_t first_mb = 0,
               uint32_t skipped = 1) {
    BitWriter slice;
    slice.ue(first_mb).ue(frame_num ? 5 : 7).ue(0).bits(uint32_t(frame_num), 4);
    if (!frame_num) slice.ue(0);
    slice.bits(uint32_t(poc_lsb), 4).se(delta_poc_bottom);
    slice.bits(0, frame_num ? 3 : 2);  // no lists of its own and plain marking
    slice.se(0);
    if (frame_num) slice.ue(skipped);
    add_unit(stream, frame_num ? 0x41 : 0x65, slice);
}

void test_a_broken_picture_takes_no_other_with_it() {
    std::vector<uint8_t> stream = parameter_sets();
    add_slice(stream, 0, 0, 0);
    add_slice(stream, 1, 2, (1 << 30) - 1);  // an order count beyond all bounds
    add_slice(stream, 2, 4, 0);
    add_slice(stream, 3, 6, 0);
    const auto decoder = make_decoder(Standard::H264, {});
    const auto pictures = decoder->parse(stream.data(), stream.size(), 0);
    CHECK(pictures.size() == 3);
    if (pictures.size() != 3) return;
    CHECK(pictures[0]->kind == SliceType::I && pictures[2]->kind == SliceType::P);
    CHECK(pictures[2]->damages() == 1 && !pictures[2]->first_damage().empty());
}

void test_no_more_slices_than_macroblocks() {
    std::vector<uint8_t> stream = parameter_sets();
    add_slice(stream, 0, 0, 0);
    for (int i = 0; i < 5; ++i) add_slice(stream, 1, 2, 0);
    const auto decoder = make_decoder(Standard::H264, {});
    const auto pictures = decoder->parse(stream.data(), stream.size(), 0);
    CHECK(pictures.size() == 2);
    if (pictures.size() != 2) return;
    CHECK(pictures[1]->motion->slices.size() == 1);
    CHECK(pictures[1]->damages() == 4);
}

// Two slice groups like a chess board, the second's slice sent first (8.2.2.2).
void test_slice_groups() {
    std::vector<uint8_t> stream = parameter_sets(4, 2);
    add_slice(stream, 0, 0, 0);
    add_slice(stream, 1, 2, 0, 1, 8);
    add_slice(stream, 1, 2, 0, 0, 8);
    const auto decoder = make_decoder(Standard::H264, {});
    const auto pictures = decoder->parse(stream.data(), stream.size(), 0);
    CHECK(pictures.size() == 2);
    if (pictures.size() != 2) return;
    const ParsedPicture& picture = *pictures[1];
    CHECK(picture.damages() == 0 && picture.concealed_macroblocks == 0 && picture.exact);
    for (size_t mb = 0; mb < 16; ++mb) CHECK(picture.motion->slice[mb] == ((mb % 4 + mb / 4) % 2 == 0));
}

}  // namespace

int main() {
    test_slice_groups();
    test_a_broken_picture_takes_no_other_with_it();
    test_no_more_slices_than_macroblocks();
    if (failures == 0) std::printf("decoder: as it should be\n");
    return failures != 0;
}
