// Arrays of a parsed picture: references as display distances, and weights (ITU-T H.264, 8.4.2.3; H.265, 8.5.3.3.4.3).
#include <algorithm>
#include <cstring>

#include "parsed_picture.h"
#include "velocity.h"

namespace edgecvar {

namespace {

// What the 4x4 blocks that one reference index is of have in common.
struct Block {
    const SliceReferences* slice;
    int ref[2];
    size_t row, column;  // of its first 4x4 block
};

template <class Visit>
void for_each_block(const MotionStore& motion, Visit visit) {
    const size_t log2 = size_t(motion.ref_log2);
    const size_t width = size_t(motion.width) >> log2, height = size_t(motion.height) >> log2;
    for (size_t row = 0; row < height; ++row) {
        for (size_t column = 0; column < width; ++column) {
            const size_t at = row * width + column;
            const size_t mb = (row << log2 >> 2) * size_t(motion.mb_width) + (column << log2 >> 2);
            const SliceReferences* slice = &motion.slices[motion.slice[mb]];
            visit(Block{slice, {motion.ref[at], motion.ref[width * height + at]}, row << log2, column << log2});
        }
    }
}

// Over a square of 2^log2 x 2^log2 4x4 blocks.
template <class T>
void fill_block(T* plane, size_t stride, const Block& block, int log2, T value) {
    T* at = plane + block.row * stride + block.column;
    for (size_t row = 0; row < size_t(1) << log2; ++row) std::fill_n(at + row * stride, size_t(1) << log2, value);
}

bool is_weighted(const SliceReferences& slice, const int (&ref)[2]) {
    if (slice.weighting == 0) return false;
    const bool both = ref[0] >= 0 && ref[1] >= 0;
    if (slice.weighting == 2) return both && slice.implicit[ref[0]][ref[1]] != 32;
    for (int list = 0; list < 2; ++list) {
        if (ref[list] < 0) continue;
        const Weight& weight = slice.weights[list][ref[list]];
        for (int plane = 0; plane < 3; ++plane) {
            const int unit = 1 << (plane ? slice.chroma_log2_denom : slice.luma_log2_denom);
            if (weight.weight[plane] != unit || weight.offset[plane] != 0) return true;
        }
    }
    return false;
}

// What a slice's ref_idx + 1 (0: list unused) stand for in the output, twice: two 4x4 blocks side by side may share it.
struct SliceOutput {
    uint32_t offsets[2][33];
    uint16_t weighted[33][33];  // by the ref_idx of both lists

    SliceOutput(const ParsedPicture& picture, const SliceReferences& slice) : offsets{}, weighted{} {
        const int counts[2] = {int(slice.lists[0].size()), int(slice.lists[1].size())};
        for (int list = 0; list < 2; ++list) {
            for (int i = 0; i < counts[list]; ++i) {
                offsets[list][i + 1] = 0x10001u * uint16_t(display_offset(*picture.tag, *slice.lists[list][i]));
            }
        }
        for (int zero = -1; zero < counts[0]; ++zero) {
            for (int one = -1; one < counts[1]; ++one) {
                weighted[zero + 1][one + 1] = is_weighted(slice, {zero, one}) ? 0x0101 : 0;
            }
        }
    }
};

// Repeats a finished row of blocks below itself.
template <class T>
void repeat(T* row, size_t stride, int times) {
    for (int i = 1; i <= times; ++i) std::copy_n(row, stride, row + i * stride);
}

// Whether eight reference indices side by side are one: most are, in quiet pictures.
bool are_alike(const int8_t* refs) {
    uint64_t eight;
    std::memcpy(&eight, refs, sizeof eight);
    return eight == uint64_t(0x0101010101010101) * uint8_t(refs[0]);
}

// What a row of `count` reference indices, of LOG2 as in MotionStore, stand for in one row of 4x4 blocks; `slice` has one
// entry a square of 16x16 samples.
template <int LOG2>
void write_offsets(const std::vector<SliceOutput>& slices, int list, const uint16_t* slice, const int8_t* refs,
                   size_t count, int16_t* out) {
    constexpr size_t BYTES = sizeof(int16_t) << LOG2;
    const SliceOutput* output = slices.data();
    for (size_t at = 0; at < count; at += 8) {
        const size_t end = std::min(at + 8, count);
        if (slices.size() == 1 && end == at + 8 && are_alike(refs + at)) {
            std::fill_n(out + (at << LOG2), 8 << LOG2, int16_t(output->offsets[list][refs[at] + 1]));
            continue;
        }
        for (size_t i = at; i < end; ++i) {
            if (slices.size() > 1) output = &slices[slice[i >> (2 - LOG2)]];
            std::memcpy(out + (i << LOG2), &output->offsets[list][refs[i] + 1], BYTES);
        }
    }
}

// The same of `weighted`.
template <int LOG2>
void write_weighted(const std::vector<SliceOutput>& slices, const uint16_t* slice, const int8_t* zero,
                    const int8_t* one, size_t count, bool* out) {
    constexpr size_t BYTES = sizeof(bool) << LOG2;
    const SliceOutput* output = slices.data();
    for (size_t at = 0; at < count; at += 8) {
        const size_t end = std::min(at + 8, count);
        if (slices.size() == 1 && end == at + 8 && are_alike(zero + at) && are_alike(one + at)) {
            std::fill_n(out + (at << LOG2), 8 << LOG2, output->weighted[zero[at] + 1][one[at] + 1] != 0);
            continue;
        }
        for (size_t i = at; i < end; ++i) {
            if (slices.size() > 1) output = &slices[slice[i >> (2 - LOG2)]];
            std::memcpy(out + (i << LOG2), &output->weighted[zero[i] + 1][one[i] + 1], BYTES);
        }
    }
}

template <int LOG2>
void write_references(const MotionStore& motion, const std::vector<SliceOutput>& slices, bool any_weights,
                      int16_t* ref_offset, bool* weighted) {
    const size_t stride = size_t(motion.width), plane = stride * size_t(motion.height), count = stride >> LOG2;
    for (size_t row = 0; row < size_t(motion.height); row += size_t(1) << LOG2) {
        const uint16_t* slice = motion.slice.data() + (row >> 2) * size_t(motion.mb_width);
        const int8_t* zero = motion.ref.data() + (row >> LOG2) * count;
        const int8_t* one = zero + motion.ref.size() / 2;
        for (int list = 0; list < (motion.two_lists ? 2 : 1); ++list) {
            int16_t* out = ref_offset + size_t(list) * plane + row * stride;
            const int8_t* refs = list ? one : zero;
            if (row > 0 && slices.size() == 1 && std::memcmp(refs - count, refs, count) == 0) {
                std::copy_n(out - stride, stride, out);
            } else {
                write_offsets<LOG2>(slices, list, slice, refs, count, out);
            }
            repeat(out, stride, LOG2);
        }
        if (!any_weights) continue;
        write_weighted<LOG2>(slices, slice, zero, one, count, weighted + row * stride);
        repeat(weighted + row * stride, stride, LOG2);
    }
}

void write_intra(const MotionStore& motion, bool* intra) {
    const size_t log2 = size_t(motion.flag_log2), side = size_t(1) << log2, stride = size_t(motion.width);
    const size_t count = stride >> log2;
    for (size_t row = 0; row < size_t(motion.height) >> log2; ++row) {
        const uint8_t* flags = motion.flags.data() + row * count;
        bool* out = intra + (row << log2) * stride;
        uint8_t any = 0;
        for (size_t i = 0; i < count; ++i) any |= flags[i];
        if (!(any & MB_INTRA)) {
            std::fill_n(out, stride * side, false);
            continue;
        }
        for (size_t i = 0; i < count; ++i) {
            const uint32_t four = flags[i] & MB_INTRA ? 0x01010101 : 0;
            std::memcpy(out + (i << log2), &four, side);
        }
        repeat(out, stride, int(side) - 1);
    }
}

}  // namespace

void motion_output(const ParsedPicture& picture, int16_t* ref_offset, bool* intra, bool* weighted) {
    const MotionStore& motion = *picture.motion;
    const size_t plane = size_t(motion.width) * size_t(motion.height);
    std::vector<SliceOutput> slices;
    bool any_weights = false;
    for (const SliceReferences& slice : motion.slices) {
        slices.emplace_back(picture, slice);
        any_weights |= slice.weighting == 1 || (slice.weighting == 2 && !slice.implicit_plain);
    }
    if (!any_weights) std::fill_n(weighted, plane, false);
    if (!motion.two_lists) std::fill_n(ref_offset + plane, plane, int16_t(0));
    const auto write = motion.ref_log2 ? write_references<1> : write_references<0>;
    write(motion, slices, any_weights, ref_offset, weighted);
    write_intra(motion, intra);
}

void weight_output(const ParsedPicture& picture, int16_t* weight, int16_t* offset, uint8_t* log2_denominator) {
    const MotionStore& motion = *picture.motion;
    const int chroma_shift = picture.sequence->bit_depth_chroma - 8;
    const int shift[3] = {picture.sequence->bit_depth_luma - 8, chroma_shift, chroma_shift};  // of offsets
    const size_t stride = size_t(motion.width), blocks = stride * size_t(motion.height);
    using Triple = std::array<int16_t, 3>;
    auto* weights = reinterpret_cast<Triple*>(weight);
    auto* offsets = reinterpret_cast<Triple*>(offset);
    auto* denominators = reinterpret_cast<std::array<uint8_t, 3>*>(log2_denominator);
    for_each_block(motion, [&](const Block& block) {
        const SliceReferences& slice = *block.slice;
        const bool both = block.ref[0] >= 0 && block.ref[1] >= 0;
        Triple w[2] = {{1, 1, 1}, {1, 1, 1}}, o[2] = {};
        std::array<uint8_t, 3> d{};
        if (slice.weighting == 1) {
            const uint8_t luma = uint8_t(slice.luma_log2_denom), chroma = uint8_t(slice.chroma_log2_denom);
            d = {luma, chroma, chroma};
            for (int list = 0; list < 2; ++list) {
                if (block.ref[list] < 0) continue;
                const Weight& given = slice.weights[list][block.ref[list]];
                for (int plane = 0; plane < 3; ++plane) {
                    w[list][plane] = given.weight[plane];
                    o[list][plane] = int16_t(given.offset[plane] * (1 << shift[plane]));
                }
            }
        } else if (slice.weighting == 2 && both) {
            const int16_t one = slice.implicit[block.ref[0]][block.ref[1]];
            d = {5, 5, 5};
            w[0].fill(int16_t(64 - one));
            w[1].fill(one);
        }
        for (int list = 0; list < 2; ++list) {
            fill_block(weights + list * blocks, stride, block, motion.ref_log2, w[list]);
            fill_block(offsets + list * blocks, stride, block, motion.ref_log2, o[list]);
        }
        fill_block(denominators, stride, block, motion.ref_log2, d);
    });
}

}  // namespace edgecvar
