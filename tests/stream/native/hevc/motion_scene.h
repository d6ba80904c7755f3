// A picture of 64x64 samples in CTBs of 32x32 whose blocks a test sets one by one: what motion is predicted from.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>

#include "hevc/motion.h"

namespace edgecvar::hevc {

inline bool operator==(const Motion& a, const Motion& b) {
    for (int list = 0; list < 2; ++list) {
        if (a.ref[list] != b.ref[list] || a.mv[list].x != b.mv[list].x || a.mv[list].y != b.mv[list].y) return false;
    }
    return true;
}

struct Reference {
    int32_t poc;
    bool long_term = false;
};

inline Motion from_zero(int ref, int x, int y) { return {{{int16_t(x), int16_t(y)}, {0, 0}}, {int8_t(ref), -1}}; }

inline Motion from_one(int ref, int x, int y) { return {{{0, 0}, {int16_t(x), int16_t(y)}}, {-1, int8_t(ref)}}; }

inline Motion from_two(int zero, int x, int y, int one, int x1, int y1) {
    return {{{int16_t(x), int16_t(y)}, {int16_t(x1), int16_t(y1)}}, {int8_t(zero), int8_t(one)}};
}

inline PredictionUnit whole_unit(int x, int y, int log2_size) {
    return {x, y, log2_size, x, y, 1 << log2_size, 1 << log2_size, PartMode::WHOLE, 0};
}

inline void refer(SliceReferences& references, int list, std::initializer_list<Reference> to) {
    references.lists[list].clear();
    references.long_term[list].clear();
    for (const Reference& reference : to) {
        auto tag = std::make_shared<Tag>();
        tag->poc = reference.poc;
        references.lists[list].push_back(tag);
        references.long_term[list].push_back(reference.long_term);
    }
}

// Motion of 16x16 blocks of 4x4 samples; every block holds what an earlier picture left there.
inline MotionStore left_over_store(bool two_lists) {
    MotionStore store;
    store.width = store.height = 16;
    store.mb_width = store.mb_height = 4;
    store.ref_log2 = 0;
    store.flag_log2 = 1;
    store.two_lists = two_lists;
    store.mv.assign(512, MotionVector{0, 0});
    store.ref.assign(512, -1);
    store.flags.assign(64, 0);
    store.slice.assign(16, 0);
    store.slices.resize(1);
    PredictionUnit all = whole_unit(0, 0, 6);
    store_motion(store, all, two_lists ? from_two(0, 999, 999, 0, 999, 999) : from_zero(0, 999, 999));
    return store;
}

// The picture has order count 8 and, unless a test says otherwise, one slice, B, with references 4 and 0, and 12 and 4.
struct Scene {
    std::shared_ptr<Sps> sps = std::make_shared<Sps>();
    std::shared_ptr<Pps> pps = std::make_shared<Pps>();
    MotionStore store = left_over_store(true);
    MotionStore collocated_store = left_over_store(true);
    Tag collocated_tag;
    PictureState picture;
    SliceHeader header;
    SliceReferences references;
    SliceState slice{picture, header, *sps, *pps, references};

    Scene() {
        sps->coded_width = sps->coded_height = 64;
        sps->ctb_log2 = 5;
        set_order();
        picture.start(sps, pps, store, 8);
        picture.slice_address.assign(4, 0);
        be(SliceType::B);
        refer(references, 0, {{4}, {0}});
        refer(references, 1, {{12}, {4}});
    }
    Scene(const Scene&) = delete;

    void be(SliceType type) {
        header.type = references.type = type;
        header.num_ref_idx[0] = 2;
        header.num_ref_idx[1] = type == SliceType::B ? 2 : 0;
        if (type == SliceType::B) return;
        store = left_over_store(false);
        refer(references, 1, {});
    }

    // The collocated picture, with order count 12, is there; its blocks are intra.
    void collocate(std::initializer_list<Reference> zero, std::initializer_list<Reference> one) {
        header.temporal_mvp = true;
        slice.collocated = &collocated_store;
        slice.collocated_tag = &collocated_tag;
        collocated_tag.poc = 12;
        refer(collocated_store.slices[0], 0, zero);
        refer(collocated_store.slices[0], 1, one);
        store_motion(collocated_store, whole_unit(0, 0, 6), Motion{});
    }

    // Motion of the 4x4 block that covers (x, y).
    void put(int x, int y, const Motion& motion) { put_into(store, x, y, motion); }
    void put_collocated(int x, int y, const Motion& motion) { put_into(collocated_store, x, y, motion); }

    Motion merged(const PredictionUnit& unit, int merge_idx) { return merged_motion(slice, unit, merge_idx); }

    bool predicts(const PredictionUnit& unit, int list, int ref_idx, bool second, int x, int y) {
        const MotionVector vector = predicted_vector(slice, unit, list, ref_idx, second);
        return vector.x == x && vector.y == y;
    }

private:
    static void put_into(MotionStore& store, int x, int y, const Motion& motion) {
        PredictionUnit unit;
        unit.x = x & ~3;
        unit.y = y & ~3;
        unit.width = unit.height = 4;
        store_motion(store, unit, motion);
    }

    void set_order() {
        pps->tile_id.assign(4, 0);
        pps->ctb_raster_to_tile = {0, 1, 2, 3};
    }
};

// The unit of 8x8 at (48, 32) begins a CTB's right half: all five of its neighbours have been parsed.
inline const PredictionUnit UNIT = whole_unit(48, 32, 3);

struct Place {
    int x, y;
};
constexpr Place A0{47, 40}, A1{47, 39}, B0{56, 31}, B1{55, 31}, B2{47, 31};

inline void put_all(Scene& scene, const Motion& a0, const Motion& a1, const Motion& b0, const Motion& b1,
                    const Motion& b2) {
    scene.put(A0.x, A0.y, a0);
    scene.put(A1.x, A1.y, a1);
    scene.put(B0.x, B0.y, b0);
    scene.put(B1.x, B1.y, b1);
    scene.put(B2.x, B2.y, b2);
}

}  // namespace edgecvar::hevc
