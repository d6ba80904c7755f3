// The residual of a picture as its blocks give it, whatever the standard.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace edgecvar {

// Samples of a plane, and how far apart its rows are.
struct Plane {
    int16_t* samples;
    ptrdiff_t stride;
};

// A square of one plane (0 y, 1 cb, 2 cr), inside the picture, with something coded in it. Its place is a multiple of its
// size, which is a power of two, at least 4. The visitor may change the samples, which are its own until it returns.
struct ResidualBlock {
    int plane, x, y, size;  // in samples of the plane
    Plane samples;
};

class CodedResidual {
public:
    virtual ~CodedResidual() = default;

    // Every block that may hold other samples than 0, none twice. In 4:0:0 there is none of cb and cr.
    virtual void blocks(const std::function<void(const ResidualBlock&)>& visit) const = 0;

    // All of it into planes y, cb and cr of the picture's size, which are 0 on entry.
    virtual void write(const std::array<Plane, 3>& planes) const;
};

}  // namespace edgecvar
