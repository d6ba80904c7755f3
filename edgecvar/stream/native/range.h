// Limits on what syntax elements may say (the semantics of ITU-T H.264, 7.4).
#pragma once

#include <cstdint>
#include <string>

#include "damage.h"

namespace edgecvar {

inline uint32_t at_most(uint32_t value, uint32_t limit, const char* name) {
    if (value > limit) throw Damage(std::string(name) + " " + std::to_string(value));
    return value;
}

inline int within(int value, int low, int high, const char* name) {
    if (value < low || value > high) throw Damage(std::string(name) + " " + std::to_string(value));
    return value;
}

}  // namespace edgecvar
