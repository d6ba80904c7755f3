// What is kept of a slice's references as long as its picture is kept.
#pragma once

#include <cstddef>

#include "slice_state.h"

namespace edgecvar {

// Who they are and how each weighs; the slice's lists must be there.
SliceReferences references_of(const SliceState& s);

// What that takes, in entries of 16 bytes.
size_t entries_of(const SliceHeader& header);

}  // namespace edgecvar
