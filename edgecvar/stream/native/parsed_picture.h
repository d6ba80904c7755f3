// A parsed picture, and the arrays that are made of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "motion_store.h"
#include "residual.h"
#include "syntax.h"

namespace edgecvar {

// One parsed picture. `motion` and `coefficients` are empty on I pictures, whose macroblocks are read only where a
// parameter set waits.
struct ParsedPicture {
    std::shared_ptr<Tag> tag;
    SliceType kind = SliceType::I;       // B if any slice is B, else P if any is P
    bool idr = false;                    // an IDR picture
    bool reference = false;              // nal_ref_idc is not 0
    bool resets_order = false;           // displayed after all before it; order counts start anew with it
    int frame_num = 0;
    int recovery_frame_cnt = -1;         // of the recovery point SEI message that comes with it; -1 without one
    int lost = 0;                        // pictures that frame_num says are missing before this one
    bool sets_refused = false;           // parameter sets in its packet are not those that it was read by
    int damaged_units = 0;               // NAL units of its packet given up before a slice of it could be parsed
    std::string unit_damage;             // what the first damage of these was
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<MotionStore> motion;

    // Known once it is parsed: after await().
    int damaged_slices = 0;              // slices given up, wholly or from some macroblock on
    int concealed_macroblocks = 0;       // macroblocks made up as P_Skip with vector 0
    bool whole = true;                   // nothing speaks against the sets that it was read by: neither of the above
    std::string damage;                  // what the first damage of a slice was
    bool exact = true;                   // false where a vector's reference, or the vector, rests on what was lost
    Coefficients coefficients;

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
// denominator 0: ((p0 w0 + p1 w1 + 2^d) >> (d + 1)) + ((o0 + o1 + 1) >> 1) for two lists (8.4.2.3).
void weight_output(const ParsedPicture& picture, int16_t* weight, int16_t* offset, uint8_t* log2_denominator);

}  // namespace edgecvar
