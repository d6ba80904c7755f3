// Coding tree units of one slice that follow each other in one substream (ITU-T H.265, 7.3.8.2 to 7.3.8.12).
#pragma once

#include "cabac.h"
#include "hevc/coding_unit.h"
#include "hevc/contexts.h"
#include "hevc/level_buffer.h"
#include "hevc/picture_state.h"

namespace edgecvar::hevc {

// What a substream goes on from where another ends (9.3.2.4).
struct SavedState {
    Contexts contexts;
    int qp_y = 0;  // QpY of the last coding unit
};

// Context variables, quantization parameter and arithmetic decoder of a substream; what it gives is in `levels` and in the
// picture. Damage is thrown where bits break a rule.
class Substream {
public:
    Substream(const SliceState& of, LevelBuffer& to);

    SliceState slice;
    LevelBuffer& levels;

    // Starts the arithmetic decoder at a byte of a payload, which ends at `end`.
    void start_engine(const uint8_t* data, const uint8_t* end) {
        engine_.start(data, end);
        end_ = end;
    }
    // The first byte after what was parsed, where a terminating bin of 1 was the last.
    const uint8_t* position() const { return engine_.position(); }
    // Context variables as at the start of a slice.
    void reset_contexts() { init_contexts(contexts_, init_type_, slice.header.qp); }
    void load_contexts(const Contexts& contexts) { contexts_ = contexts; }
    const Contexts& contexts() const { return contexts_; }
    // qPY_PREV of the next quantization group.
    int qp_y() const { return qp_y_; }
    void set_qp_y(int qp) { qp_y_ = qp; }

    // The coding tree unit at (x, y), both in luma samples, `address` in raster scan; neighbours say whether those to the
    // left and above may be merged with in SAO.
    void coding_tree_unit(int x, int y, bool sao_left, bool sao_up);
    // end_of_slice_segment_flag or end_of_subset_one_bit
    bool terminate() { return engine_.terminate(); }

private:
    struct Chroma {
        bool cb = false, cr = false;
        bool any() const { return cb || cr; }
    };

    // Whether what is to the left of x, or above y, is available; within the coding tree unit it is.
    bool left_available(int x) const { return (x & ((1 << slice.sps.ctb_log2) - 1)) != 0 || left_unit_; }
    bool above_available(int y) const { return (y & ((1 << slice.sps.ctb_log2) - 1)) != 0 || unit_above_; }

    int decision(int context) { return engine_.decision(contexts_.states[context]); }

    // coding_tree.cpp
    void sao(bool left, bool up);
    void sao_component(int plane, int& type);
    void coding_quadtree(int x, int y, int log2_size, int depth);
    bool split_cu_flag(int x, int y, int depth);
    void coding_unit(int x, int y, int log2_size, int depth);
    void start_quantization_group();
    bool cu_skip_flag(int x, int y);
    PartMode part_mode(const CodingUnit& cu);
    void keep_qp(const CodingUnit& cu);

    // intra_syntax.cpp
    void intra_unit(CodingUnit& cu);
    void pcm_samples(const CodingUnit& cu);
    void intra_modes(CodingUnit& cu);
    int luma_mode(int x, int y, bool predicted, int syntax);
    void store_intra(const CodingUnit& cu);

    // prediction_syntax.cpp
    void skipped_unit(CodingUnit& cu);
    bool inter_units(CodingUnit& cu, int depth);
    bool prediction_unit(const PredictionUnit& unit, int depth);
    int merge_idx();
    int ref_idx(int count);
    int inter_pred_idc(const PredictionUnit& unit, int depth);
    MotionVector mvd_coding();
    int abs_mvd_minus2();
    void use(const Motion& motion);

    // transform_tree.cpp
    void transform_tree(const CodingUnit& cu, int x, int y, int x_base, int y_base, int log2_size, int depth, int index,
                        Chroma parent);
    void transform_unit(const CodingUnit& cu, int x, int y, int x_base, int y_base, int log2_size, int index, bool luma,
                        Chroma chroma);
    void chroma_blocks(const CodingUnit& cu, int x, int y, int log2_size, Chroma chroma);
    void cu_qp_delta();

    // residual_coding.cpp
    void residual_coding(int x, int y, int log2_size, int plane, int scan, int qp, uint8_t flags);

    CabacEngine engine_;
    const uint8_t* end_ = nullptr;
    Contexts contexts_;
    const int init_type_;
    PictureState& picture_;
    const int qp_group_log2_;       // Log2MinCuQpDeltaSize
    bool left_unit_ = false, unit_above_ = false;  // these coding tree units are available

    int qp_y_;                      // QpY of the coding unit, then of the one before
    int predicted_qp_ = 0;          // qPY_PRED of the quantization group
    int group_x_ = 0, group_y_ = 0;
    bool new_group_ = false;        // no coding unit of the group has been parsed
    bool qp_delta_coded_ = false;   // IsCuQpDeltaCoded
};

}  // namespace edgecvar::hevc
