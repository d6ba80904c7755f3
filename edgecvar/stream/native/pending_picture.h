// Pictures that are parsed when somebody asks what is in them, or in one that is collocated with them.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

#include "gathered_picture.h"

namespace edgecvar {

// A parser that the pending pictures of one stream share, and the threads that ask them.
struct SharedParser {
    std::recursive_mutex mutex;  // a B picture asks those that it is collocated with
    std::unique_ptr<PictureParser> parser;
};

// What a store is waiting for. The store keeps it, and it keeps nothing of other pictures but collocated stores.
class PendingPicture {
public:
    // Of a picture whose store will keep it.
    PendingPicture(std::shared_ptr<SharedParser> parser, std::unique_ptr<GatheredPicture> gathered);

    bool is_parsed() const { return parsed_.load(std::memory_order_acquire); }
    // Parses it unless that is done, in the caller's thread; throws what parsing threw, which is no damage.
    void parse();

private:
    friend void parse_collocated(const GatheredPicture& gathered);

    void settle();
    void parse_now();

    const std::shared_ptr<SharedParser> parser_;
    std::unique_ptr<GatheredPicture> gathered_;  // without its picture, and null once it is parsed
    std::weak_ptr<ParsedPicture> picture_;
    const std::shared_ptr<Tag> tag_;
    const std::shared_ptr<const Sequence> sequence_;
    const SliceType kind_;
    MotionStore* const store_;
    int depth_ = 1;             // of pictures to be parsed for it, each for the one before
    std::exception_ptr failure_;
    std::atomic<bool> parsed_{false};
};

// Has the pictures that one is collocated with parsed, by this thread or another.
void parse_collocated(const GatheredPicture& gathered);

}  // namespace edgecvar
