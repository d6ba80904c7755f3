// What mb_pred and sub_mb_pred say of motion, over either entropy coding (ITU-T H.264, 7.3.5.1 and 7.3.5.2).
#pragma once

#include "h264/direct.h"
#include "h264/motion_prediction.h"
#include "h264/slice_state.h"

namespace edgecvar::h264 {

struct SubType;

// Reads the references and vectors of inter macroblocks and stores their motion.
template <class Syntax>
class MotionParser {
public:
    MotionParser(SliceState& s, Syntax& syntax) : s_(s), syntax_(syntax) {}

    // P_Skip and B_Skip.
    void skipped();
    // An inter mb_type (Tables 7-13, 7-14); returns whether a partition may be smaller than 8x8.
    bool parse(int type);

private:
    enum Shape { ROWS, COLUMNS };  // of two partitions: 16x8, 8x16

    void direct();
    void whole(int usage);
    void halves(Shape shape, const uint8_t (&usage)[2]);
    bool sub_macroblocks();
    void sub_partitions(MotionCache& cache, int list, int block, const SubType& type, int ref_idx);
    int reference(int list, int block);

    SliceState& s_;
    Syntax& syntax_;
};

}  // namespace edgecvar::h264
