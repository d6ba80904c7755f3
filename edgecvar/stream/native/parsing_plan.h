// When the blocks of gathered pictures are parsed, and by whom.
#pragma once

#include <functional>
#include <memory>

#include "gathered_picture.h"
#include "parsing_threads.h"
#include "pending_picture.h"

namespace edgecvar {

// When P and B pictures are parsed: LATER as the plan has it, or at once; and I pictures, of whose blocks nothing is
// wanted but whether they can be read, with EVERY.
enum class Parsing { LATER, AT_ONCE, EVERY };

// Of one stream: LATER is on threads, in the thread that asks something of the picture, or at once.
class ParsingPlan {
public:
    // A parser on so many threads, made for each thread that parses whole pictures.
    using MakeParser = std::function<std::unique_ptr<PictureParser>(int threads)>;

    // On all cores with 0 threads; `on_demand` a picture is parsed by whoever asks, its parts on so many threads.
    ParsingPlan(int threads, bool on_demand, const MakeParser& make);

    // How many pictures are to be given before the first is awaited, so that all threads have something to do.
    int ahead() const { return ahead_; }

    // To be called in decode order. The gathered picture comes back where it has been parsed, else null.
    std::unique_ptr<GatheredPicture> parse(std::unique_ptr<GatheredPicture> gathered, Parsing when);

private:
    int ahead_ = 0;
    std::unique_ptr<PictureParser> parser_;
    std::unique_ptr<ParsingThreads> threads_;  // null where pictures are not parsed ahead
    std::shared_ptr<SharedParser> shared_;     // null where they are not parsed on demand
};

}  // namespace edgecvar
