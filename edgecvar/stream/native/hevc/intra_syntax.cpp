// Intra coding units: their modes, PCM samples (ITU-T H.265, 7.3.8.5, 7.3.8.7 and 8.4.2).
#include <cstring>

#include "hevc/intra_modes.h"
#include "hevc/substream.h"

namespace edgecvar::hevc {

void Substream::intra_unit(CodingUnit& cu) {
    const Sps& sps = slice.sps;
    store_intra(cu);
    if (sps.pcm_enabled && cu.part_mode == PartMode::WHOLE && cu.log2_size >= sps.pcm_min_cb_log2 &&
        cu.log2_size <= sps.pcm_max_cb_log2) {
        cu.pcm = engine_.terminate();
    }
    // The mode of PCM is INTRA_DC, as the array has it from the start.
    if (cu.pcm) return pcm_samples(cu);
    intra_modes(cu);
}

void Substream::pcm_samples(const CodingUnit& cu) {
    const int luma = 1 << (2 * cu.log2_size);
    const int chroma = slice.sps.chroma_format_idc == 0 ? 0 : luma / 2;
    const size_t bits = size_t(luma * slice.sps.pcm_bit_depth_luma + chroma * slice.sps.pcm_bit_depth_chroma);
    const uint8_t* data = engine_.position();
    if (data > end_ || size_t(end_ - data) < (bits + 7) / 8) damaged("PCM samples lead out of the slice");
    engine_.start(data + (bits + 7) / 8, end_);
}

void Substream::store_intra(const CodingUnit& cu) {
    MotionStore& motion = *picture_.motion;
    store_motion(motion, whole_unit(cu), Motion{});
    const size_t size = size_t(1) << (cu.log2_size - 3), stride = size_t(motion.width >> 1);
    uint8_t* flags = motion.flags.data() + size_t(cu.y >> 3) * stride + size_t(cu.x >> 3);
    for (size_t row = 0; row < size; ++row, flags += stride) std::memset(flags, MB_INTRA, size);
}

void Substream::intra_modes(CodingUnit& cu) {
    const int parts = cu.part_mode == PartMode::FOUR ? 4 : 1;
    const int size = (1 << cu.log2_size) >> (parts == 4 ? 1 : 0);
    bool predicted[4];
    for (int i = 0; i < parts; ++i) predicted[i] = decision(PREV_INTRA_LUMA_PRED_FLAG);
    for (int i = 0; i < parts; ++i) {
        int syntax;
        if (predicted[i]) {
            syntax = engine_.bypass();
            if (syntax) syntax += engine_.bypass();
        } else {
            syntax = int(engine_.bypass_bits(5));
        }
        const int x = cu.x + (i & 1 ? size : 0), y = cu.y + (i & 2 ? size : 0);
        const int mode = luma_mode(x, y, predicted[i], syntax);
        cu.luma_modes[i] = mode;
        const size_t stride = size_t(picture_.motion->width);
        uint8_t* row = picture_.intra_mode.data() + size_t(y >> 2) * stride + size_t(x >> 2);
        // Only the right column and the bottom row are read again.
        for (int k = 1; k < size >> 2; ++k, row += stride) row[(size >> 2) - 1] = uint8_t(mode);
        std::memset(row, mode, size_t(size >> 2));
    }
    if (parts == 1) cu.luma_modes[1] = cu.luma_modes[2] = cu.luma_modes[3] = cu.luma_modes[0];
    if (slice.sps.chroma_format_idc == 0) return;
    const int syntax = decision(INTRA_CHROMA_PRED_MODE) ? int(engine_.bypass_bits(2)) : 4;
    cu.chroma_mode = chroma_mode(cu.luma_modes[0], syntax);
}

int Substream::luma_mode(int x, int y, bool predicted, int syntax) {
    const uint8_t* own = picture_.intra_mode.data() + size_t(y >> 2) * size_t(picture_.motion->width) + size_t(x >> 2);
    const int left = left_available(x) ? own[-1] : int(INTRA_DC);
    // Above the coding tree block all counts as INTRA_DC; within it all is available.
    const bool inside = (y & ((1 << slice.sps.ctb_log2) - 1)) != 0;
    const int above = inside ? own[-picture_.motion->width] : int(INTRA_DC);
    const CandidateModes candidates = candidate_modes(left, above);
    return predicted ? candidates.modes[syntax] : remaining_mode(candidates, syntax);
}

}  // namespace edgecvar::hevc
