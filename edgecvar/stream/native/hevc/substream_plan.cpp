// A picture's slice segments cut into substreams (ITU-T H.265, 7.3.8.1 and 7.4.7.1).
#include "hevc/substream_plan.h"

#include "damage.h"

namespace edgecvar::hevc {

void TileScan::start(const Sps& sps, const Pps& pps) {
    pps_ = &pps;
    width_ = sps.width_in_ctbs();
    column_start_.assign(size_t(width_), 0);
    for (const int start : pps.column_starts) {
        for (int x = start; x < width_; ++x) column_start_[size_t(x)] = start;
    }
}

void append_parts(const TileScan& scan, const GatheredPicture& picture, size_t segment, std::vector<Part>& parts) {
    const SliceHeader& header = picture.segments[segment].header;
    const SliceHeader& other = picture.segments[0].header;
    if (header.sps != other.sps || header.pps != other.pps)
        damaged("slices of one picture with different parameter sets");
    if (header.segment_address >= scan.count()) damaged("slice_segment_address out of range");
    const size_t size = picture.segments[segment].payload.size;
    Part part;
    part.segment = segment;
    part.first = header.pps->ctb_raster_to_tile[size_t(header.segment_address)];
    part.limit = scan.count();
    part.begin = (header.data_position + 7) / 8;
    part.end = size;
    if (!parts.empty() && part.first <= parts.back().first) damaged("slice segment out of order");
    if (part.begin >= size) damaged("slice segment without data");
    if (!parts.empty()) parts.back().limit = part.first;
    parts.push_back(part);
    for (const size_t entry : header.entry_points) {
        Part& before = parts.back();
        if (entry <= before.begin || entry >= size) damaged("entry point out of range");
        part.first = before.first + 1;
        while (part.first < scan.count() && !scan.starts_substream(part.first)) ++part.first;
        if (part.first == scan.count()) damaged("too many entry points");
        part.begin = entry;
        before.end = entry;
        before.limit = part.first;
        before.last = false;
        parts.push_back(part);
    }
}

}  // namespace edgecvar::hevc
