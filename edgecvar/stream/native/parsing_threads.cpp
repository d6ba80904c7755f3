// Threads that parse pictures ahead of whoever takes them.
#include "parsing_threads.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <future>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "blocked_signals.h"

namespace edgecvar {

namespace {

struct Job {
    explicit Job(std::unique_ptr<GatheredPicture> picture) : gathered(std::move(picture)) {
        for (const Collocated& collocated : gathered->collocated) {
            const std::shared_ptr<Tag>& tag = collocated.tag;
            if (!tag || tag->is_parsed()) continue;
            if (awaited.empty() || awaited.back() != tag) awaited.push_back(tag);
        }
        gathered->picture->tag->parsed = parsed.get_future().share();
    }

    std::unique_ptr<GatheredPicture> gathered;
    std::vector<std::shared_ptr<Tag>> awaited;  // of collocated pictures, whose vectors are to come
    std::promise<void> parsed;
    enum { WAITS, RUNS, DONE } stage = WAITS;

    bool ready() const {
        return stage == WAITS && std::all_of(awaited.begin(), awaited.end(),
                                             [](const std::shared_ptr<Tag>& tag) { return tag->is_parsed(); });
    }
};

}  // namespace

struct ParsingThreads::State {
    std::mutex mutex;
    std::condition_variable changed;
    std::list<Job> jobs;  // in decode order; done ones stay until the next comes
    bool ending = false;
    std::vector<std::thread> threads;
    const pid_t process = getpid();

    void work(PictureParser& parser);
    void end();
    std::ptrdiff_t left() const {
        return std::count_if(jobs.begin(), jobs.end(), [](const Job& job) { return job.stage == Job::WAITS; });
    }
};

void ParsingThreads::State::work(PictureParser& parser) {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
        const auto job = std::find_if(jobs.begin(), jobs.end(), [](const Job& each) { return each.ready(); });
        if (job == jobs.end()) {
            if (ending && left() == 0) return;
            changed.wait(lock);
            continue;
        }
        job->stage = Job::RUNS;
        lock.unlock();
        std::exception_ptr failure;
        try {
            parser.parse(*job->gathered);
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        job->stage = Job::DONE;
        if (failure) {
            job->parsed.set_exception(failure);
        } else {
            job->parsed.set_value();
        }
        changed.notify_all();
    }
}

void ParsingThreads::State::end() {
    {
        const std::lock_guard<std::mutex> lock(mutex);
        ending = true;
    }
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
}

ParsingThreads::ParsingThreads(int count, std::function<std::unique_ptr<PictureParser>()> parser)
    : state_(std::make_unique<State>()) {
    const BlockedSignals blocked;
    State* const state = state_.get();
    try {
        for (int i = 0; i < count; ++i) state->threads.emplace_back([state, parser] { state->work(*parser()); });
    } catch (const std::system_error&) {
        if (state->threads.empty()) throw;  // with fewer than were asked for it goes on
    }
}

ParsingThreads::~ParsingThreads() {
    if (getpid() != state_->process) {
        state_.release();  // after a fork: its threads are not here
        return;
    }
    state_->end();
}

void ParsingThreads::parse(std::unique_ptr<GatheredPicture> gathered) {
    std::list<Job> next, done;  // only this thread lets go of pictures: others may have been the last to hold a store
    next.emplace_back(std::move(gathered));
    {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        std::list<Job>& jobs = state_->jobs;
        for (auto job = jobs.begin(); job != jobs.end();) {
            const auto each = job++;
            if (each->stage == Job::DONE) done.splice(done.end(), jobs, each);
        }
        jobs.splice(jobs.end(), next);
    }
    state_->changed.notify_one();
}

}  // namespace edgecvar
