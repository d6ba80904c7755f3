// Between bytes, NAL units and payloads (ITU-T H.264 and H.265, 7.3.1, Annex B; ISO/IEC 14496-15).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bits.h"

namespace edgecvar {

enum class Standard { H264, HEVC };

struct NalUnit {
    int ref_idc = 0, type = 0;
    const uint8_t* data = nullptr;  // the header
    size_t size = 0;
    int header_size = 1;            // in bytes
    int layer = 0, temporal_id = 0; // nuh_layer_id and TemporalId of H.265
};

// Of a whole unit, at least its header. A unit of H.265 that ends within it is of a type that does not exist, -1.
NalUnit nal_unit(const uint8_t* data, size_t size, Standard standard = Standard::H264);

// The NAL units of an access unit, by start codes where length_size is 0, else by lengths of 1, 2 or 4 bytes.
// A length that leads out of the buffer ends the list and sets `broken`. Empty units are left out.
std::vector<NalUnit> split(const uint8_t* data, size_t size, int length_size, bool& broken,
                           Standard standard = Standard::H264);

// What split() takes apart; a unit too long for its length is left out.
std::vector<uint8_t> join(const std::vector<std::vector<uint8_t>>& units, int length_size);

// The payload that follows the header, its emulation prevention bytes removed; `payload` is reused.
void unescape(const NalUnit& unit, Payload& payload);

// A NAL unit of Annex B: start code, header and payload, with emulation prevention bytes put in.
void append_unit(const std::vector<uint8_t>& header, const std::vector<uint8_t>& payload, std::vector<uint8_t>& bytes);

// What an AVCDecoderConfigurationRecord or HEVCDecoderConfigurationRecord, or Annex B extradata, holds.
struct Extradata {
    int length_size = 0;                    // 0: Annex B
    std::vector<std::vector<uint8_t>> units;  // parameter sets, whole NAL units
};

// Damage for a record that breaks off; empty bytes give Annex B and no units.
Extradata read_extradata(const uint8_t* data, size_t size, Standard standard = Standard::H264);

}  // namespace edgecvar
