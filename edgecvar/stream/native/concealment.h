// What stands in for the blocks that no slice gave.
#pragma once

#include "parsed_picture.h"

namespace edgecvar {

// They are taken to stand still: vector 0, and the first reference of a slice that has one. Squares of 16x16 samples
// without a slice are counted.
void conceal(ParsedPicture& picture);

}  // namespace edgecvar
