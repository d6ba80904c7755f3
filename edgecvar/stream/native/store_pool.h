// Memory for the motion of pictures, used again.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "motion_store.h"

namespace edgecvar {

// How a sequence's motion lies in memory.
struct StoreLayout {
    int width, height;        // in 4x4 blocks
    int ref_log2, flag_log2;  // see MotionStore
    int references;           // pictures that are kept for others
};

// Stores that nobody holds any more are used again: their memory is warm, and what every picture overwrites need not be
// cleared.
class StorePool {
public:
    // For a caller that has up to `ahead` pictures waiting.
    explicit StorePool(int ahead) : kept_(IN_HAND + ahead) {}

    // One that is of no slices yet, and has not been started.
    std::shared_ptr<MotionStore> take(const StoreLayout& layout) {
        std::shared_ptr<MotionStore> store;
        for (std::shared_ptr<MotionStore>& kept : stores_) {
            if (kept->width != layout.width || kept->height != layout.height) {
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
            store = made(layout);
            if (int(stores_.size()) < layout.references + kept_) stores_.push_back(store);
        }
        store->slices.clear();
        store->pending.reset();
        return store;
    }

private:
    static std::shared_ptr<MotionStore> made(const StoreLayout& layout) {
        auto store = std::make_shared<MotionStore>();
        store->width = layout.width;
        store->height = layout.height;
        store->mb_width = (layout.width + 3) / 4;
        store->mb_height = (layout.height + 3) / 4;
        store->ref_log2 = layout.ref_log2;
        store->flag_log2 = layout.flag_log2;
        const auto squares = [&](int log2) { return size_t(layout.width >> log2) * size_t(layout.height >> log2); };
        store->mv.resize(2 * squares(0));
        store->ref.assign(2 * squares(layout.ref_log2), -1);
        store->flags.resize(squares(layout.flag_log2));
        store->slice.resize(size_t(store->mb_width) * size_t(store->mb_height));
        return store;
    }

    static constexpr int IN_HAND = 4;  // pictures that the caller may hold besides those and the references

    const int kept_;  // besides the references
    std::vector<std::shared_ptr<MotionStore>> stores_;
};

}  // namespace edgecvar
