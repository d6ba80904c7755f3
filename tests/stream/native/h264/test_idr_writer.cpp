// What IDR pictures are written with: bits, codes, emulation prevention (ITU-T H.264, 7.3.1, 9.1).
#include <random>

#include "bits.h"
#include "check.h"
#include "h264/headers.h"
#include "nal.h"
#include "payload_writer.h"

using namespace edgecvar;
using Bytes = std::vector<uint8_t>;

static Payload payload_of(const Bytes& bytes) {
    Payload payload;
    payload.size = bytes.size();
    payload.bytes = bytes;
    payload.bytes.resize(payload.size + Payload::PADDING, 0);
    return payload;
}

static void test_codes_are_read_back() {
    PayloadWriter writer;
    for (const uint32_t value : {0u, 1u, 2u, 254u, 65535u, 0x7FFFFFFFu, 0xFFFFFFFEu, 0xFFFFFFFFu}) writer.ue(value);
    for (const int value : {0, 1, -1, 77, -77, 0x7FFFFFFF, -0x7FFFFFFF}) writer.se(value);
    writer.bits(0x12345678, 32);
    writer.bits(5, 3);
    writer.end();
    CHECK(writer.position() % 8 == 0 && writer.bytes().size() == writer.position() / 8);
    const Payload payload = payload_of(writer.bytes());
    BitReader reader(payload);
    for (const uint32_t value : {0u, 1u, 2u, 254u, 65535u, 0x7FFFFFFFu, 0xFFFFFFFEu, 0xFFFFFFFFu})
        CHECK(reader.ue() == value);
    for (const int value : {0, 1, -1, 77, -77, 0x7FFFFFFF, -0x7FFFFFFF}) CHECK(reader.se() == value);
    CHECK(reader.bits(32) == 0x12345678 && reader.bits(3) == 5);
    CHECK(!reader.more_data());
}

static void test_bits_are_copied_from_any_place_to_any_place() {
    std::mt19937 random(1);
    Bytes bytes(24);
    for (uint8_t& byte : bytes) byte = uint8_t(random());
    const Payload source = payload_of(bytes);
    for (unsigned before = 0; before < 9; ++before) {
        for (size_t from = 0; from < 20; ++from) {
            for (size_t to = from; to < 8 * bytes.size(); to += 5) {
                PayloadWriter writer;
                writer.bits(0x155 >> (9 - before), before);
                writer.copy(source.bytes.data(), from, to);
                CHECK(writer.position() == before + to - from);
                const Payload copied = payload_of(writer.bytes());
                BitReader reader(copied), expected(source);
                CHECK(reader.bits(before) == uint32_t(0x155 >> (9 - before)));
                expected.skip(unsigned(from));
                bool same = true;
                for (size_t at = from; at < to; ++at) same &= reader.flag() == expected.flag();
                CHECK(same);
            }
        }
    }
}

static void test_a_unit_is_split_and_unescaped_to_its_payload() {
    std::mt19937 random(2);
    for (int round = 0; round < 2000; ++round) {
        Bytes payload(random() % 40);
        for (uint8_t& byte : payload) byte = uint8_t(random() % 5);  // most need prevention
        payload.push_back(0x80);
        Bytes bytes{0, 0, 1, 0x67, 9};
        append_unit({0x65}, payload, bytes);
        bool broken = true;
        const std::vector<NalUnit> units = split(bytes.data(), bytes.size(), 0, broken);
        CHECK(!broken && units.size() == 2 && units[1].type == h264::IDR_SLICE && units[1].ref_idc == 3);
        if (units.size() != 2) continue;
        for (size_t at = 2; at < units[1].size; ++at)
            CHECK(units[1].data[at] > 2 || units[1].data[at - 1] != 0 || units[1].data[at - 2] != 0);
        Payload back;
        unescape(units[1], back);
        CHECK(Bytes(back.bytes.begin(), back.bytes.begin() + std::ptrdiff_t(back.size)) == payload);
    }
}

int main() {
    test_codes_are_read_back();
    test_bits_are_copied_from_any_place_to_any_place();
    test_a_unit_is_split_and_unescaped_to_its_payload();
    if (failures == 0) std::printf("idr_writer: as it should be\n");
    return failures != 0;
}
