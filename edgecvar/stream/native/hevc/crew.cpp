// Threads that do one thing together.
#include "hevc/crew.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "blocked_signals.h"

namespace edgecvar::hevc {

struct Crew::State {
    std::vector<std::thread> threads;
    std::mutex mutex;
    std::condition_variable called, done;
    const std::function<void(size_t)>* work = nullptr;
    size_t call = 0;     // how often work was given
    size_t wanted = 0;   // threads that take part in it
    size_t running = 0;  // of these
    bool leaving = false;
    const pid_t process = getpid();

    bool forked() const { return getpid() != process; }
    void grow(size_t count);
    void serve(size_t number);
};

void Crew::State::grow(size_t count) {
    if (threads.size() >= count) return;
    const BlockedSignals blocked;
    try {
        while (threads.size() < count) threads.emplace_back(&State::serve, this, threads.size());
    } catch (const std::system_error&) {  // with those that there are it goes on
    }
}

void Crew::State::serve(size_t number) {
    size_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
        called.wait(lock, [&] { return leaving || (work && call != seen && number < wanted); });
        if (leaving) return;
        seen = call;
        const std::function<void(size_t)>& given = *work;
        lock.unlock();
        given(number + 1);
        lock.lock();
        if (--running == 0) done.notify_all();
    }
}

Crew::Crew(int size) : size_(size < 1 ? 1 : size_t(size)), state_(std::make_unique<State>()) {}

Crew::~Crew() {
    if (state_->forked()) {
        state_.release();  // what other threads wait on cannot be destroyed
        return;
    }
    {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        state_->leaving = true;
    }
    state_->called.notify_all();
    for (std::thread& thread : state_->threads) thread.join();
}

void Crew::run(size_t count, const std::function<void(size_t)>& work) {
    State& state = *state_;
    const size_t others = std::min(std::max<size_t>(count, 1), size_) - 1;
    if (others == 0 || state.forked()) return work(0);
    {
        const std::lock_guard<std::mutex> lock(state.mutex);
        state.grow(others);
        state.work = &work;
        ++state.call;
        state.wanted = state.running = std::min(others, state.threads.size());
    }
    state.called.notify_all();
    work(0);
    std::unique_lock<std::mutex> lock(state.mutex);
    state.done.wait(lock, [&] { return state.running == 0; });
    state.work = nullptr;
}

}  // namespace edgecvar::hevc
