// Threads that parse pictures ahead of whoever takes them.
#pragma once

#include <functional>
#include <memory>

#include "gathered_picture.h"

namespace edgecvar {

class ParsingThreads {
public:
    // Each of `count` has a parser of its own.
    ParsingThreads(int count, std::function<std::unique_ptr<PictureParser>()> parser);
    // All that was begun is parsed first.
    ~ParsingThreads();

    // Parses a picture once its collocated ones are, those with the lowest numbers first: its tag says when
    // that is done. To be called in decode order.
    void parse(std::unique_ptr<GatheredPicture> gathered);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace edgecvar
