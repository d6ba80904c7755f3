// The context variables of the arithmetic decoder and their initial states (ITU-T H.265, 9.3.2.2; Tables 9-5 to 9-37).
#pragma once

#include "cabac_tables.h"
#include "hevc/syntax.h"

namespace edgecvar::hevc {

// Where the contexts of a syntax element begin.
enum ContextOffset {
    SAO_MERGE_FLAG = 0,
    SAO_TYPE_IDX = SAO_MERGE_FLAG + 1,
    SPLIT_CU_FLAG = SAO_TYPE_IDX + 1,
    CU_TRANSQUANT_BYPASS_FLAG = SPLIT_CU_FLAG + 3,
    CU_SKIP_FLAG = CU_TRANSQUANT_BYPASS_FLAG + 1,
    PRED_MODE_FLAG = CU_SKIP_FLAG + 3,
    PART_MODE = PRED_MODE_FLAG + 1,
    PREV_INTRA_LUMA_PRED_FLAG = PART_MODE + 4,
    INTRA_CHROMA_PRED_MODE = PREV_INTRA_LUMA_PRED_FLAG + 1,
    RQT_ROOT_CBF = INTRA_CHROMA_PRED_MODE + 1,
    MERGE_FLAG = RQT_ROOT_CBF + 1,
    MERGE_IDX = MERGE_FLAG + 1,
    INTER_PRED_IDC = MERGE_IDX + 1,
    REF_IDX = INTER_PRED_IDC + 5,
    MVP_FLAG = REF_IDX + 2,
    SPLIT_TRANSFORM_FLAG = MVP_FLAG + 1,
    CBF_LUMA = SPLIT_TRANSFORM_FLAG + 3,
    CBF_CHROMA = CBF_LUMA + 2,
    ABS_MVD_GREATER0_FLAG = CBF_CHROMA + 4,
    ABS_MVD_GREATER1_FLAG = ABS_MVD_GREATER0_FLAG + 1,
    CU_QP_DELTA_ABS = ABS_MVD_GREATER1_FLAG + 1,
    TRANSFORM_SKIP_FLAG = CU_QP_DELTA_ABS + 2,
    LAST_SIG_COEFF_X_PREFIX = TRANSFORM_SKIP_FLAG + 2,
    LAST_SIG_COEFF_Y_PREFIX = LAST_SIG_COEFF_X_PREFIX + 18,
    CODED_SUB_BLOCK_FLAG = LAST_SIG_COEFF_Y_PREFIX + 18,
    SIG_COEFF_FLAG = CODED_SUB_BLOCK_FLAG + 4,
    COEFF_ABS_LEVEL_GREATER1_FLAG = SIG_COEFF_FLAG + 42,
    COEFF_ABS_LEVEL_GREATER2_FLAG = COEFF_ABS_LEVEL_GREATER1_FLAG + 24,
    CONTEXTS = COEFF_ABS_LEVEL_GREATER2_FLAG + 6,
};

struct Contexts {
    ContextState states[CONTEXTS];
};

// initType (9-7).
int init_type(SliceType type, bool cabac_init);

// initValue of a context.
int init_value(int type, int context);

// As at the start of a slice; slice_qp, SliceQpY, is clipped to 0..51.
void init_contexts(Contexts& contexts, int type, int slice_qp);

}  // namespace edgecvar::hevc
