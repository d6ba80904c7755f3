// What is thrown where a bitstream cannot be followed.
#pragma once

#include <stdexcept>
#include <string>

namespace edgecvar {

// The bits break a rule of the standard; the slice, or the parameter set, that holds them is given up.
struct Damage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The bits are sound and outside what is parsed here (interlaced, 4:2:2, data partitions): what() says which.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Throws Damage; out of line, which keeps the loops that check small.
[[noreturn]] __attribute__((noinline, cold)) inline void damaged(const char* what) { throw Damage(what); }

}  // namespace edgecvar
