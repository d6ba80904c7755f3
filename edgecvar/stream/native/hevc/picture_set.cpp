// Picture parameter sets (ITU-T H.265, 7.3.2.3, 7.4.3.3).
#include "hevc/picture_set.h"

#include "hevc/scaling_lists.h"
#include "range.h"

namespace edgecvar::hevc {

namespace {

constexpr uint32_t MAX_TILES = 1056;  // a side: CTBs of the longest

// Tiles as transmitted: the sizes of all but the last where they are not uniform.
struct Tiles {
    uint32_t columns = 1, rows = 1;
    bool uniform = true;
    std::vector<uint32_t> widths, heights;
};

Tiles read_tiles(BitReader& reader) {
    Tiles tiles;
    tiles.columns = at_most(reader.ue(), MAX_TILES - 1, "num_tile_columns_minus1") + 1;
    tiles.rows = at_most(reader.ue(), MAX_TILES - 1, "num_tile_rows_minus1") + 1;
    tiles.uniform = reader.flag();
    if (!tiles.uniform) {
        const auto size = [&]() { return at_most(reader.ue(), MAX_TILES - 1, "size of a tile") + 1; };
        for (uint32_t i = 0; i + 1 < tiles.columns; ++i) tiles.widths.push_back(size());
        for (uint32_t i = 0; i + 1 < tiles.rows; ++i) tiles.heights.push_back(size());
    }
    reader.skip(1);  // loop_filter_across_tiles_enabled_flag
    return tiles;
}

// colBd or rowBd (6-3, 6-4) without the end, of `count` tiles along a side of `length` CTBs.
std::vector<int> starts_of(uint32_t count, bool uniform, const std::vector<uint32_t>& sizes, int length) {
    if (count > uint32_t(length))
        throw Damage(std::to_string(count) + " tiles in " + std::to_string(length) + " blocks");
    std::vector<int> starts{0};
    for (uint32_t i = 1; i < count; ++i) {
        starts.push_back(uniform ? int(i * uint32_t(length) / count) : starts.back() + int(sizes[i - 1]));
        if (starts.back() >= length) throw Damage("tiles beyond the picture");
    }
    return starts;
}

void check_against(const Sps& sps, const Pps& pps) {
    within(pps.init_qp, -6 * (sps.bit_depth_luma - 8), 51, "init_qp");
    within(pps.diff_cu_qp_delta_depth, 0, sps.ctb_log2 - sps.min_cb_log2, "diff_cu_qp_delta_depth");
    within(pps.parallel_merge_log2, 2, sps.ctb_log2, "Log2ParMrgLevel");
}

void refuse_range_extension(BitReader& reader, const Pps& pps) {  // 7.3.2.3.2
    const auto refused = [](const char* tool) { throw Unsupported("range extensions (" + std::string(tool) + ")"); };
    if (pps.transform_skip_enabled && reader.ue() != 0) refused("transform skip of larger blocks");
    if (reader.flag()) refused("cross_component_prediction");
    if (reader.flag()) refused("chroma_qp_offset_list");
    if (reader.ue() != 0 || reader.ue() != 0) refused("log2_sao_offset_scale");
}

void refuse_extensions(BitReader& reader, const Pps& pps) {
    if (!reader.flag()) return;
    const bool range = reader.flag(), layers = reader.flag(), depth = reader.flag(), screen = reader.flag();
    reader.skip(4);  // pps_extension_4bits: what follows is to be ignored
    if (depth) throw Unsupported("3D extensions");
    if (layers && screen) throw Unsupported("multi-layer and screen content extensions");
    if (range) refuse_range_extension(reader, pps);
    if (layers) return;  // what follows is of layers that are left out
    if (screen && reader.bits(3) != 0) throw Unsupported("screen content extensions");
}

void read_deblocking(BitReader& reader, Pps& pps) {
    if (!reader.flag()) return;  // deblocking_filter_control_present_flag
    pps.deblocking_override_enabled = reader.flag();
    pps.deblocking_disabled = reader.flag();
    if (pps.deblocking_disabled) return;
    within(reader.se(), -6, 6, "pps_beta_offset_div2");
    within(reader.se(), -6, 6, "pps_tc_offset_div2");
}

void read_slice_part(BitReader& reader, Pps& pps) {
    pps.dependent_slices_enabled = reader.flag();
    pps.output_flag_present = reader.flag();
    pps.num_extra_slice_header_bits = int(reader.bits(3));
    pps.sign_data_hiding = reader.flag();
    pps.cabac_init_present = reader.flag();
    for (int& count : pps.num_ref_idx_default) {
        count = int(at_most(reader.ue(), MOST_REFERENCES - 1, "num_ref_idx_default_active_minus1")) + 1;
    }
    pps.init_qp = 26 + within(reader.se(), -26 - 48, 25, "init_qp_minus26");
    reader.skip(1);  // constrained_intra_pred_flag
    pps.transform_skip_enabled = reader.flag();
    pps.cu_qp_delta_enabled = reader.flag();
    if (pps.cu_qp_delta_enabled) pps.diff_cu_qp_delta_depth = int(at_most(reader.ue(), 3, "diff_cu_qp_delta_depth"));
    pps.cb_qp_offset = within(reader.se(), -12, 12, "pps_cb_qp_offset");
    pps.cr_qp_offset = within(reader.se(), -12, 12, "pps_cr_qp_offset");
    pps.slice_chroma_qp_offsets_present = reader.flag();
    pps.weighted_pred = reader.flag();
    pps.weighted_bipred = reader.flag();
    pps.transquant_bypass_enabled = reader.flag();
}

}  // namespace

void read_picture_set(const Payload& payload, const Sps* sps, Pps& pps) {
    BitReader reader(payload);
    pps.id = int(at_most(reader.ue(), 63, "pps_pic_parameter_set_id"));
    pps.sps_id = int(at_most(reader.ue(), 15, "pps_seq_parameter_set_id"));
    read_slice_part(reader, pps);
    pps.tiles_enabled = reader.flag();
    pps.entropy_coding_sync = reader.flag();
    const Tiles tiles = pps.tiles_enabled ? read_tiles(reader) : Tiles();
    pps.loop_filter_across_slices = reader.flag();
    read_deblocking(reader, pps);
    if (sps) pps.scaling = sps->scaling;
    if (reader.flag()) pps.scaling = read_scaling_lists(reader);
    pps.lists_modification_present = reader.flag();
    pps.parallel_merge_log2 = 2 + int(at_most(reader.ue(), 4, "log2_parallel_merge_level_minus2"));
    pps.slice_header_extension_present = reader.flag();
    refuse_extensions(reader, pps);
    if (reader.overrun()) throw Damage("picture parameter set breaks off");
    if (!sps) return;
    check_against(*sps, pps);
    pps.column_starts = starts_of(tiles.columns, tiles.uniform, tiles.widths, sps->width_in_ctbs());
    pps.row_starts = starts_of(tiles.rows, tiles.uniform, tiles.heights, sps->height_in_ctbs());
    set_addresses(*sps, pps);
}

}  // namespace edgecvar::hevc
