// Threads that parse pictures ahead of whoever takes them.
#pragma once

#include <memory>

#include "gathered_picture.h"

namespace edgecvar {

class ParsingThreads {
public:
    explicit ParsingThreads(int count);
    // All that was begun is parsed first.
    ~ParsingThreads();

    // Parses a picture once all it is co-located with are parsed, those with the lowest numbers first: its tag says when
    // that is done. To be called in decode order.
    void parse(GatheredPicture gathered);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace edgecvar
