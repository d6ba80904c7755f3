// What has been parsed of a picture whose parts are parsed side by side.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace edgecvar::hevc {

// Flags that are set once; whoever needs one waits for it.
class Progress {
public:
    // None of `count` is set. With one thread nothing waits, as what is needed comes before.
    void start(size_t count, bool shared) {
        if (count > capacity_) {
            flags_ = std::make_unique<std::atomic<uint8_t>[]>(count);
            capacity_ = count;
        }
        for (size_t i = 0; i < count; ++i) flags_[i].store(0, std::memory_order_relaxed);
        shared_ = shared;
    }
    void set(size_t index) {
        if (!shared_) return;
        flags_[index].store(1, std::memory_order_seq_cst);
        if (waiting_.load(std::memory_order_seq_cst) == 0) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        changed_.notify_all();
    }
    void await(size_t index) {
        if (!shared_ || flags_[index].load(std::memory_order_acquire)) return;
        std::unique_lock<std::mutex> lock(mutex_);
        waiting_.fetch_add(1, std::memory_order_seq_cst);
        changed_.wait(lock, [&] { return flags_[index].load(std::memory_order_seq_cst) != 0; });
        waiting_.fetch_sub(1, std::memory_order_seq_cst);
    }

private:
    std::unique_ptr<std::atomic<uint8_t>[]> flags_;
    size_t capacity_ = 0;
    bool shared_ = false;
    std::atomic<int> waiting_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace edgecvar::hevc
