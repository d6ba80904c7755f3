// Which parameter sets a slice names.
#pragma once

namespace edgecvar {

struct SetIds {
    int sequence = 0, picture = 0;
};

}  // namespace edgecvar
