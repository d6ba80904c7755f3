// The slice segments of one picture, parsed to its motion and coefficients; losses are concealed.
#include "hevc/picture_parser.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "concealment.h"
#include "hevc/crew.h"
#include "hevc/gathered_segments.h"
#include "hevc/residual.h"
#include "hevc/slice_data.h"

namespace edgecvar::hevc {

namespace {

class Parser : public edgecvar::PictureParser {
public:
    explicit Parser(int threads) : crew_(threads), levels_(crew_.size()) {}

    void parse(const edgecvar::GatheredPicture& gathered) override;

private:
    void parse_parts();
    void account(const GatheredPicture& gathered);
    void account(const Segment& segment, const Collocated* collocated, const PartOutcome& outcome,
                 ParsedPicture& picture);
    Coefficients coefficients(const GatheredPicture& gathered) const;

    Crew crew_;
    std::vector<LevelBuffer> levels_;  // by worker
    SliceData data_;
};

// Parts are begun in order: one that waits, waits for what others have begun.
void Parser::parse_parts() {
    std::atomic<size_t> next{0};
    std::exception_ptr failure;
    std::mutex mutex;
    crew_.run(std::min(crew_.size(), data_.count()), [&](size_t worker) {
        for (size_t part = next++; part < data_.count(); part = next++) {
            try {
                data_.parse(part, levels_[worker], worker);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(mutex);
                failure = std::current_exception();
            }
        }
    });
    if (failure) std::rethrow_exception(failure);
}

// Whether the picture rests on what was lost.
void Parser::account(const Segment& segment, const Collocated* collocated, const PartOutcome& outcome,
                     ParsedPicture& picture) {
    const SliceReferences& references = picture.motion->slices[size_t(segment.slice)];
    for (int list = 0; list < 2; ++list) {
        for (size_t i = 0; i < references.lists[list].size(); ++i) {
            if ((outcome.used_references[list] >> i & 1) && references.lists[list][i]->lost) picture.exact = false;
        }
    }
    if (!outcome.used_temporal || !collocated || !collocated->tag) return;
    if (collocated->tag->lost || collocated->tag->damaged) picture.exact = false;
}

void Parser::account(const GatheredPicture& gathered) {
    ParsedPicture& picture = *gathered.picture;
    std::vector<const std::string*> damage(gathered.count);  // the first of each segment
    for (const SliceData::Refused& refused : data_.refused()) damage[refused.segment] = &refused.damage;
    for (size_t i = 0; i < data_.count(); ++i) {
        const size_t index = data_.part(i).segment;
        const Segment& segment = gathered.segments[index];
        const bool known = size_t(segment.slice) < gathered.collocated.size();
        account(segment, known ? &gathered.collocated[size_t(segment.slice)] : nullptr, data_.outcome(i), picture);
        if (!damage[index] && !data_.outcome(i).damage.empty()) damage[index] = &data_.outcome(i).damage;
    }
    for (const std::string* what : damage) {
        if (!what) continue;
        ++picture.damaged_slices;
        if (picture.damage.empty()) picture.damage = *what;
    }
    // What was read before damage showed may be wrong too.
    if (picture.damaged_slices > 0 || picture.concealed_macroblocks > 0 || gathered.unreliable) picture.exact = false;
}

Coefficients Parser::coefficients(const GatheredPicture& gathered) const {
    Coefficients coefficients;
    coefficients.sps = gathered.segments[0].header.sps;
    coefficients.pps = gathered.segments[0].header.pps;
    for (size_t i = 0; i < data_.count(); ++i) {
        const PartOutcome& outcome = data_.outcome(i);
        levels_[outcome.worker].append_to(coefficients, outcome.first_block, outcome.end_block);
    }
    return coefficients;
}

void Parser::parse(const edgecvar::GatheredPicture& of) {
    const GatheredPicture& gathered = static_cast<const GatheredPicture&>(of);
    ParsedPicture& picture = *gathered.picture;
    picture.motion->start(picture.kind == SliceType::B);
    for (LevelBuffer& levels : levels_) levels.clear();
    data_.start(gathered, crew_.size() > 1);
    std::exception_ptr failure;
    try {
        parse_parts();
    } catch (...) {
        failure = std::current_exception();
    }
    conceal(picture);
    account(gathered);
    picture.whole = picture.damaged_slices == 0 && picture.concealed_macroblocks == 0;
    picture.tag->damaged = !picture.exact;
    if (failure) std::rethrow_exception(failure);
    picture.residual = coded_residual(coefficients(gathered));
}

}  // namespace

std::unique_ptr<edgecvar::PictureParser> picture_parser(int threads) { return std::make_unique<Parser>(threads); }

}  // namespace edgecvar::hevc
