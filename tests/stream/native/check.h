// The one assertion of the C++ tests: it prints what is not so, and the test goes on.
#pragma once

#include <cstdio>

inline int checks = 0;
inline int failures = 0;

#define CHECK(condition)                                                        \
    do {                                                                        \
        ++checks;                                                               \
        if (!(condition)) {                                                     \
            std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            ++failures;                                                         \
        }                                                                       \
    } while (false)
