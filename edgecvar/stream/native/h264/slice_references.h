// What is kept of a slice's references as long as its picture is kept.
#pragma once

#include <cstddef>
#include <vector>

#include "h264/syntax.h"
#include "motion_store.h"

namespace edgecvar::h264 {

// Who they are and how each weighs, by the lists of a slice of the picture with this order count.
SliceReferences references_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2], int32_t poc);

// What that takes, in entries of 16 bytes.
size_t entries_of(const SliceHeader& header);

}  // namespace edgecvar::h264
