// Threads that do one thing together, again and again.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace edgecvar::hevc {

// The caller and threads of its own, which are started when they are first needed. After a fork, where these are not, the
// caller is alone.
class Crew {
public:
    explicit Crew(int size);
    ~Crew();

    size_t size() const { return size_; }
    // Calls work(0), work(1), ... each in a thread, and waits for all: `count` of them, at most all, and fewer where the
    // system gives no more threads. It may not throw.
    void run(size_t count, const std::function<void(size_t)>& work);

private:
    struct State;

    const size_t size_;
    std::unique_ptr<State> state_;
};

}  // namespace edgecvar::hevc
