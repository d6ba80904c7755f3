// Pictures that are parsed when somebody asks what is in them, or in one that is collocated with them.
#include "pending_picture.h"

#include <algorithm>
#include <utility>

namespace edgecvar {

namespace {

constexpr int DEEPEST = 8;  // more than pyramids of B pictures have: what a picture keeps of others is bounded

}  // namespace

PendingPicture::PendingPicture(std::shared_ptr<SharedParser> parser, std::unique_ptr<GatheredPicture> gathered)
    : parser_(std::move(parser)), gathered_(std::move(gathered)), picture_(gathered_->picture),
      tag_(gathered_->picture->tag), sequence_(gathered_->picture->sequence), kind_(gathered_->picture->kind),
      store_(gathered_->picture->motion.get()) {
    gathered_->picture.reset();
    for (const Collocated& collocated : gathered_->collocated) {
        const MotionStore* const motion = collocated.motion.get();
        if (!motion || !motion->pending || motion->pending->is_parsed()) continue;
        depth_ = std::max(depth_, motion->pending->depth_ + 1);
    }
    if (depth_ > DEEPEST) settle();
}

void PendingPicture::parse() {
    settle();
    if (failure_) std::rethrow_exception(failure_);
}

void PendingPicture::settle() {
    if (is_parsed()) return;
    const std::lock_guard<std::recursive_mutex> lock(parser_->mutex);
    if (!is_parsed()) parse_now();
}

void PendingPicture::parse_now() {
    gathered_->picture = picture_.lock();
    if (!gathered_->picture) {  // only its vectors are asked for
        gathered_->picture = std::make_shared<ParsedPicture>();
        gathered_->picture->tag = tag_;
        gathered_->picture->sequence = sequence_;
        gathered_->picture->kind = kind_;
        gathered_->picture->motion = std::shared_ptr<MotionStore>(std::shared_ptr<MotionStore>(), store_);
    }
    parse_collocated(*gathered_);
    try {
        parser_->parser->parse(*gathered_);
    } catch (...) {
        failure_ = std::current_exception();
    }
    gathered_.reset();
    parsed_.store(true, std::memory_order_release);
}

void parse_collocated(const GatheredPicture& gathered) {
    for (const Collocated& collocated : gathered.collocated) {
        if (collocated.tag) collocated.tag->wait();
    }
    for (const Collocated& collocated : gathered.collocated) {
        if (collocated.motion && collocated.motion->pending) collocated.motion->pending->settle();
    }
}

bool ParsedPicture::is_parsed() const {
    return tag->is_parsed() && !(motion && motion->pending && !motion->pending->is_parsed());
}

void ParsedPicture::await() const {
    if (tag->parsed.valid()) tag->parsed.get();
    if (motion && motion->pending) motion->pending->parse();
}

}  // namespace edgecvar
