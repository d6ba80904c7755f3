// Where the substreams of a slice segment begin (ITU-T H.265, 7.3.6.1, 7.4.7.1).
#include "hevc/entry_points.h"

#include "range.h"

namespace edgecvar::hevc {

namespace {

uint32_t most_entry_points(const Sps& sps, const Pps& pps) {
    const uint32_t columns = uint32_t(pps.column_starts.size()), rows = uint32_t(pps.row_starts.size());
    return columns * (pps.entropy_coding_sync ? uint32_t(sps.height_in_ctbs()) : rows) - 1;
}

}  // namespace

void read_entry_offsets(BitReader& reader, SliceHeader& header) {
    header.entries_position = reader.position();
    if (header.pps->tiles_enabled || header.pps->entropy_coding_sync) {
        const uint32_t most = most_entry_points(*header.sps, *header.pps);
        const uint32_t count = at_most(reader.ue(), most, "num_entry_point_offsets");
        const unsigned length = count > 0 ? at_most(reader.ue(), 31, "offset_len_minus1") + 1 : 0;
        size_t distance = 0;
        for (uint32_t i = 0; i < count && !reader.overrun(); ++i) {
            distance += size_t(reader.bits(length)) + 1;
            header.entry_points.push_back(distance);
        }
    }
    header.entries_end = reader.position();
}

void place_entry_points(SliceHeader& header, const Payload& payload) {
    const size_t start = header.data_position / 8;
    size_t escapes = 0;  // before what is looked at; the one of number k stood at byte escapes[k] + k of the unit
    while (escapes < payload.escapes.size() && payload.escapes[escapes] <= start) ++escapes;
    const size_t unit_start = start + escapes;
    size_t last = start;
    for (size_t k = 0; k < header.entry_points.size(); ++k) {
        size_t& entry = header.entry_points[k];
        const size_t at = unit_start + entry;
        while (escapes < payload.escapes.size() && payload.escapes[escapes] + escapes < at) ++escapes;
        entry = at - escapes;
        // Kvazaar counts the substreams of the dependent segments that follow, too; no decoder needs the points.
        if (entry <= last || entry >= payload.size) return header.entry_points.resize(k);
        last = entry;
    }
}

}  // namespace edgecvar::hevc
