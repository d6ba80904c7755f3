// Picture order counts (ITU-T H.265, 8.3.1).
#include "damage.h"
#include "hevc/dpb.h"

namespace edgecvar::hevc {

namespace {

// Below this differences of two counts stay within 32 bits; streams that are shown for less than months stay far below.
constexpr int64_t MAX_COUNT = int64_t(1) << 30;

}  // namespace

int32_t PictureOrder::next(const SliceHeader& header) const {
    const int64_t span = int64_t(1) << header.sps->log2_max_poc_lsb;
    const int64_t last_lsb = previous_ & (span - 1);
    int64_t msb = previous_ - last_lsb;
    if (header.poc_lsb < last_lsb && last_lsb - header.poc_lsb >= span / 2) {
        msb += span;
    } else if (header.poc_lsb > last_lsb && header.poc_lsb - last_lsb > span / 2) {
        msb -= span;
    }
    const int64_t poc = msb + header.poc_lsb;
    if (poc < -MAX_COUNT || poc > MAX_COUNT) throw Damage("picture order count out of range");
    return int32_t(poc);
}

void PictureOrder::follow(const SliceHeader& header, int32_t poc) {
    const bool leading = header.rasl() || header.radl();
    if (header.temporal_id == 0 && header.sub_layer_reference() && !leading) previous_ = poc;
}

}  // namespace edgecvar::hevc
