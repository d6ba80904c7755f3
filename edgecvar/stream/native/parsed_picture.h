// A parsed picture, and the arrays that are made of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "coded_residual.h"
#include "motion_store.h"
#include "sequence.h"

namespace edgecvar {

// One parsed picture. `motion` and `residual` are null on I pictures, whose blocks are read only where a parameter set
// waits.
struct ParsedPicture {
    std::shared_ptr<Tag> tag;
    SliceType kind = SliceType::I;       // B if any slice is B, else P if any is P
    bool random_access = false;          // an IDR picture (H.264), an IRAP picture (H.265)
    bool reference = false;              // others may refer to it
    bool output = true;                  // to be displayed (pic_output_flag of H.265)
    bool resets_order = false;           // displayed after all before it; order counts start anew with it
    int frame_num = 0;                   // of H.264
    int recovery_count = -1;             // recovery_frame_cnt, or recovery_poc_cnt, of the recovery
                                         // point SEI message that comes with it; -1 without one, or where negative
    int lost = 0;                        // pictures that are known to be missing before this one
    bool sets_refused = false;           // parameter sets in its packet are not those that it was read by
    int damaged_units = 0;               // NAL units of its packet given up before a slice of it could be parsed
    std::string unit_damage;             // what the first damage of these was
    int extra_units = 0;                 // NAL units of other layers in its packet, left out
    std::shared_ptr<const Sequence> sequence;
    std::shared_ptr<MotionStore> motion;

    // Known once it is parsed: after await().
    int damaged_slices = 0;              // slices given up, wholly or from some block on
    int concealed_macroblocks = 0;       // squares of 16x16 samples made up as skipped with vector 0
    bool whole = true;                   // nothing speaks against the sets that it was read by: neither of the above
    std::string damage;                  // what the first damage of a slice was
    bool exact = true;                   // false where a vector's reference, or the vector, rests on what was lost
    std::unique_ptr<const CodedResidual> residual;

    int damages() const { return damaged_units + damaged_slices; }
    const std::string& first_damage() const { return damage.empty() ? unit_damage : damage; }

    bool is_parsed() const;
    // Waits until it is parsed, or parses it where it was waiting for that; throws what parsing threw, which is no damage.
    void await() const;
};

// Arrays of a parsed picture for output. Shapes: (2, H/4, W/4), (H/4, W/4), (H/4, W/4), all in raster order.
// ref_offset is the display index of the reference minus the picture's own.
void motion_output(const ParsedPicture& picture, int16_t* ref_offset, bool* intra, bool* weighted);
// weight and offset: (2, H/4, W/4, 3); log2_denominator: (H/4, W/4, 3). Plain prediction is weight 1, offset 0,
// denominator 0: ((p0 w0 + p1 w1 + 2^d) >> (d + 1)) + ((o0 + o1 + 1) >> 1) for two lists of H.264 (8.4.2.3), and
// ((p0 w0 + p1 w1 + ((o0 + o1 + 1) << d')) >> (d' + 1) with d' = d + 14 - bit depth, of H.265 (8.5.3.3.4.3).
void weight_output(const ParsedPicture& picture, int16_t* weight, int16_t* offset, uint8_t* log2_denominator);

}  // namespace edgecvar
