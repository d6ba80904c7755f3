// Threads that do one thing together.
#include "hevc/crew.h"

#include <algorithm>

namespace edgecvar::hevc {

Crew::~Crew() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        leaving_ = true;
    }
    called_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Crew::run(size_t count, const std::function<void(size_t)>& work) {
    const size_t others = std::min(count, size_) - 1;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        while (threads_.size() < others) threads_.emplace_back(&Crew::serve, this, threads_.size());
        work_ = &work;
        ++call_;
        wanted_ = running_ = others;
    }
    if (others) called_.notify_all();
    work(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    work_ = nullptr;
}

void Crew::serve(size_t number) {
    size_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        called_.wait(lock, [&] { return leaving_ || (work_ && call_ != seen && number < wanted_); });
        if (leaving_) return;
        seen = call_;
        const std::function<void(size_t)>& work = *work_;
        lock.unlock();
        work(number + 1);
        lock.lock();
        if (--running_ == 0) done_.notify_all();
    }
}

}  // namespace edgecvar::hevc
