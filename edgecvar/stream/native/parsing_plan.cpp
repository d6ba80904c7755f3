// When the blocks of gathered pictures are parsed, and by whom.
#include "parsing_plan.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace edgecvar {

namespace {

// Pictures that are parsed ahead: B pictures wait for others, so that more than one a thread are wanted.
constexpr int AHEAD = 8, AHEAD_A_THREAD = 4;
constexpr int MOST_THREADS = 8;  // each has memory of its own, and reading headers feeds no more

int usable(int threads) {
    const int cores = threads > 0 ? threads : int(std::thread::hardware_concurrency());
    return std::clamp(cores, 1, MOST_THREADS);
}

}  // namespace

ParsingPlan::ParsingPlan(int threads, bool on_demand, const MakeParser& make) : parser_(make(1)) {
    const int count = usable(threads);
    if (on_demand) {
        shared_ = std::make_shared<SharedParser>();
        shared_->parser = make(count);
    } else if (count > 1) {
        ahead_ = AHEAD + AHEAD_A_THREAD * count;
        threads_ = std::make_unique<ParsingThreads>(count, [make] { return make(1); });
    }
}

std::unique_ptr<GatheredPicture> ParsingPlan::parse(std::unique_ptr<GatheredPicture> gathered, Parsing when) {
    if (threads_ && when == Parsing::LATER) {
        threads_->parse(std::move(gathered));
        return nullptr;
    }
    if (shared_ && when == Parsing::LATER) {
        MotionStore& store = *gathered->picture->motion;
        store.pending = std::make_shared<PendingPicture>(shared_, std::move(gathered));
        return nullptr;
    }
    parse_collocated(*gathered);
    parser_->parse(*gathered);
    return gathered;
}

}  // namespace edgecvar
