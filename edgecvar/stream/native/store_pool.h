// Memory for the motion of pictures, used again.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "motion_store.h"
#include "slice_state.h"

namespace edgecvar {

// Stores that nobody holds any more are used again: their memory is warm, and what every picture overwrites need not be
// cleared.
class StorePool {
public:
    // For a picture with or without B slices. Vectors and references of list 0 are those of an earlier picture, and of
    // list 1 too where the picture has B slices: every macroblock sets them.
    std::shared_ptr<MotionStore> take(const Sps& sps, bool two_lists) {
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
        const size_t count = size_t(sps.mb_width) * sps.mb_height;
        if (!store) {
            store = std::make_shared<MotionStore>();
            store->mb_width = sps.mb_width;
            store->mb_height = sps.mb_height;
            store->mv.resize(2 * 16 * count);
            store->ref.assign(2 * 4 * count, -1);
            if (int(stores_.size()) < sps.max_num_ref_frames + IN_HAND) stores_.push_back(store);
        } else if (store->two_lists && !two_lists) {
            std::memset(static_cast<void*>(store->mv.data() + 16 * count), 0, 16 * count * sizeof(MotionVector));
            std::memset(store->ref.data() + 4 * count, -1, 4 * count);
        }
        store->two_lists = two_lists;
        store->flags.assign(count, 0);
        store->slice.assign(count, NO_SLICE);
        store->slices.clear();
        return store;
    }

private:
    static constexpr int IN_HAND = 4;  // pictures that the caller may hold besides the references
    std::vector<std::shared_ptr<MotionStore>> stores_;
};

}  // namespace edgecvar
