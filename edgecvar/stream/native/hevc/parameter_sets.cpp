// The parameter sets in force (ITU-T H.265, 7.4.2.4.2).
#include "hevc/parameter_sets.h"

#include <algorithm>

#include "hevc/picture_set.h"
#include "hevc/sequence_set.h"

namespace edgecvar::hevc {

namespace {

constexpr size_t MAX_SET_BYTES = 1 << 16;
constexpr size_t MAX_KEPT_BLOCKS = 1 << 21;  // of the address tables of all sets that are resolved

}  // namespace

void ParameterSets::read_sps(const Payload& payload) {
    if (payload.size > MAX_SET_BYTES) throw Damage("sequence parameter set too long");
    BitReader reader(payload);
    Sps sps;
    std::string reason;
    try {
        read_sequence_set(reader, sps);
    } catch (const Unsupported& feature) {
        reason = feature.what();
    }
    const size_t id = size_t(sps.id);
    std::vector<uint8_t> bytes(payload.bytes.begin(), payload.bytes.begin() + std::ptrdiff_t(payload.size));
    if (bytes != sps_bytes_[id]) {
        for (auto entry = pps_.begin(); entry != pps_.end();) {
            entry = entry->second->sps_id == sps.id ? pps_.erase(entry) : std::next(entry);
        }
        sps_bytes_[id] = std::move(bytes);
        sps_[id] = reason.empty() ? std::make_shared<const Sps>(std::move(sps)) : nullptr;
        unsupported_[id] = reason;
    }
    if (!reason.empty()) throw Unsupported(reason);
}

void ParameterSets::read_pps(const Payload& payload) {
    if (payload.size > MAX_SET_BYTES) throw Damage("picture parameter set too long");
    Pps pps;
    std::string reason;
    try {
        read_picture_set(payload, nullptr, pps);
    } catch (const Unsupported& feature) {  // and again when a slice names it
        reason = feature.what();
    }
    const auto end = payload.bytes.begin() + std::ptrdiff_t(payload.size);
    Payload& kept = pps_payloads_[pps.id];
    if (kept.size != payload.size || !std::equal(payload.bytes.begin(), end, kept.bytes.begin())) {
        kept.size = payload.size;
        kept.bytes.assign(payload.bytes.begin(), end);
        kept.bytes.resize(payload.size + Payload::PADDING, 0);
        pps_.erase(pps.id);
    }
    if (!reason.empty()) throw Unsupported(reason);
}

std::shared_ptr<const Pps> ParameterSets::resolved(int id) {
    const auto known = pps_.find(id);
    if (known != pps_.end()) return known->second;
    const auto payload = pps_payloads_.find(id);
    if (payload == pps_payloads_.end()) throw Damage("picture parameter set " + std::to_string(id) + " did not come");
    Pps named, pps;
    read_picture_set(payload->second, nullptr, named);
    const size_t sps_id = size_t(named.sps_id);
    if (!unsupported_[sps_id].empty()) throw Unsupported(unsupported_[sps_id]);
    if (!sps_[sps_id]) throw Damage("sequence parameter set " + std::to_string(sps_id) + " did not come");
    read_picture_set(payload->second, sps_[sps_id].get(), pps);
    size_t kept = pps.tile_id.size();
    for (const auto& entry : pps_) kept += entry.second->tile_id.size();
    if (kept > MAX_KEPT_BLOCKS) pps_.clear();
    return pps_[id] = std::make_shared<const Pps>(std::move(pps));
}

}  // namespace edgecvar::hevc
