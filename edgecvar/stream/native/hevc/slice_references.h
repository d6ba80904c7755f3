// What is kept of a slice's references as long as its picture is kept.
#pragma once

#include <cstddef>
#include <vector>

#include "hevc/syntax.h"
#include "motion_store.h"

namespace edgecvar::hevc {

// Who they are and how each weighs, by the lists of a slice.
SliceReferences references_of(const SliceHeader& header, const std::vector<Reference> (&lists)[2]);

// What that takes, in entries of 16 bytes.
size_t entries_of(const SliceHeader& header);

}  // namespace edgecvar::hevc
