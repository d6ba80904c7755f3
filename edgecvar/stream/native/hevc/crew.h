// Threads that do one thing together, again and again.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace edgecvar::hevc {

// The caller and threads of its own, which are started when they are first needed.
class Crew {
public:
    explicit Crew(int size) : size_(size < 1 ? 1 : size_t(size)) {}
    ~Crew();

    size_t size() const { return size_; }
    // Calls work(0), work(1), ... each in a thread, `count` of them, at most all, and waits for all; it may not throw.
    void run(size_t count, const std::function<void(size_t)>& work);

private:
    void serve(size_t number);

    const size_t size_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable called_, done_;
    const std::function<void(size_t)>* work_ = nullptr;
    size_t call_ = 0;     // how often work was given
    size_t wanted_ = 0;   // threads that take part in it
    size_t running_ = 0;  // of these
    bool leaving_ = false;
};

}  // namespace edgecvar::hevc
