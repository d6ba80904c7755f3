// Memory for the motion of pictures, used again.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "motion_store.h"
#include "syntax.h"

namespace edgecvar {

// Stores that nobody holds any more are used again: their memory is warm, and what every picture overwrites need not be
// cleared.
class StorePool {
public:
    // For a caller that has up to `ahead` pictures waiting.
    explicit StorePool(int ahead) : kept_(IN_HAND + ahead) {}

    // One that is of no slices yet, and has not been started.
    std::shared_ptr<MotionStore> take(const Sps& sps) {
        std::shared_ptr<MotionStore> store;
        for (std::shared_ptr<MotionStore>& kept : stores_) {
            if (kept->mb_width != sps.mb_width || kept->mb_height != sps.mb_height) {
                stores_.clear();
                break;
            }
            if (kept.use_count() == 1) {
                std::atomic_thread_fence(std::memory_order_acquire);  // after the last use in another thread
                store = kept;
                break;
            }
        }
        if (!store) {
            store = made(sps);
            if (int(stores_.size()) < sps.max_num_ref_frames + kept_) stores_.push_back(store);
        }
        store->slices.clear();
        store->pending.reset();
        return store;
    }

private:
    static std::shared_ptr<MotionStore> made(const Sps& sps) {
        const size_t count = size_t(sps.mb_width) * sps.mb_height;
        auto store = std::make_shared<MotionStore>();
        store->width = 4 * sps.mb_width;
        store->height = 4 * sps.mb_height;
        store->mb_width = sps.mb_width;
        store->mb_height = sps.mb_height;
        store->mv.resize(2 * 16 * count);
        store->ref.assign(2 * 4 * count, -1);
        store->flags.resize(count);
        store->slice.resize(count);
        return store;
    }

    static constexpr int IN_HAND = 4;  // pictures that the caller may hold besides those and the references

    const int kept_;  // besides the references
    std::vector<std::shared_ptr<MotionStore>> stores_;
};

}  // namespace edgecvar
