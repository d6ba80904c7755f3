// Access units in, parsed pictures out: the native core's one door.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dpb.h"
#include "headers.h"
#include "motion_store.h"
#include "nal.h"
#include "residual.h"

namespace edgecvar {

// One parsed picture. `motion` and `coefficients` are empty on I pictures, whose macroblocks are never read.
struct ParsedPicture {
    std::shared_ptr<Tag> tag;
    SliceType kind = SliceType::I;       // B if any slice is B, else P if any is P
    bool idr = false;                    // an IDR picture
    bool reference = false;              // nal_ref_idc is not 0
    bool resets_order = false;           // displayed after all before it; order counts start anew with it
    int frame_num = 0;
    int recovery_frame_cnt = -1;         // of the recovery point SEI message that comes with it; -1 without one
    int lost = 0;                        // pictures that frame_num says are missing before this one
    int damaged_slices = 0;              // slices given up, wholly or from some macroblock on
    int concealed_macroblocks = 0;       // macroblocks made up as P_Skip with vector 0
    std::string damage;                  // what the first damage was
    bool sets_refused = false;           // parameter sets in its packet are not those that it was read by
    bool exact = true;                   // false where a vector's reference, or the vector, rests on what was lost
    std::shared_ptr<const Sps> sps;
    std::shared_ptr<MotionStore> motion;
    Coefficients coefficients;
};

class Decoder {
public:
    // Parameter sets out of band; Damage if they are broken.
    Decoder(const uint8_t* extradata, size_t size);
    ~Decoder();

    // The pictures in one packet: one as a rule, none where it holds parameter sets alone. `number` is the packet's.
    // Damage where slices are there and none has a header that can be followed; Unsupported for what is not parsed
    // here: of a stream that has given pictures once it persists, and until then it is damage. The decoder can go on
    // after both.
    std::vector<std::shared_ptr<ParsedPicture>> parse(const uint8_t* data, size_t size, uint32_t number);

    // All parameter sets in force as they came, packaged as the stream's packets are (start codes or lengths).
    std::vector<uint8_t> parameter_sets() const;
    // The packet but for its parameter sets.
    std::vector<uint8_t> without_sets(const uint8_t* data, size_t size) const;

private:
    struct State;
    std::vector<uint8_t> packaged(const std::vector<std::vector<uint8_t>>& units) const;
    std::unique_ptr<State> state_;
};

// Arrays of a parsed picture for output. Shapes: (2, H/4, W/4), (H/4, W/4), (H/4, W/4), all in raster order.
// ref_offset is the display index of the reference minus the picture's own.
void motion_output(const ParsedPicture& picture, int16_t* ref_offset, bool* intra, bool* weighted);
// weight and offset: (2, H/4, W/4, 3); log2_denominator: (H/4, W/4, 3). Plain prediction is weight 1, offset 0,
// denominator 0: ((p0 w0 + p1 w1 + 2^d) >> (d + 1)) + ((o0 + o1 + 1) >> 1) for two lists (8.4.2.3).
void weight_output(const ParsedPicture& picture, int16_t* weight, int16_t* offset, uint8_t* log2_denominator);

}  // namespace edgecvar
