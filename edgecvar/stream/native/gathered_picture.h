// A picture between its headers and its blocks, and what parses these.
#pragma once

#include <memory>
#include <vector>

#include "motion_store.h"
#include "parsed_picture.h"

namespace edgecvar {

// Whose motion the blocks of a slice may be predicted from (temporal direct prediction, temporal candidates).
struct Collocated {
    std::shared_ptr<Tag> tag;                   // null where there is none
    std::shared_ptr<const MotionStore> motion;  // null where there is none, and where that picture is intra or lost
};

// Its headers have been read and followed: what parsing its blocks takes, in whatever thread.
struct GatheredPicture {
    virtual ~GatheredPicture() = default;

    std::shared_ptr<ParsedPicture> picture;  // with tag, kind, sequence, and a store with the references of all slices
    std::vector<Collocated> collocated;  // by slice
};

// Parses the gathered pictures of one standard; its memory serves picture after picture.
class PictureParser {
public:
    virtual ~PictureParser() = default;

    // Fills in the rest of the gathered picture, with what was damaged; its collocated pictures have been parsed. What
    // is thrown is no damage, and leaves the picture's store such that others may read it.
    virtual void parse(const GatheredPicture& gathered) = 0;
};

}  // namespace edgecvar
