"""How sure early exits must be: chosen on labelled clips, so that the whole network's accuracy is kept.

Every picture's scores at all exits are had in one run without early exits; what any confidence would have given is then
worked out. Exits are taken from the last to the first, each with those behind it as they were found: its confidence is
the lowest from which on no higher one loses more points of accuracy than allowed, neither of clips nor of decisions: of
clips alone a few would decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.exits import ExitRecord, ExitRule, ExitTrial, exits_of
from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.labelled import Clip
from edgecvar.compile.draft import Draft
from edgecvar.errors import CompileError, StreamError
from edgecvar.judge.evaluate import RunScore, score_clip, tally
from edgecvar.predict.multiply_adds import multiply_adds_of
from edgecvar.progress import Progress
from edgecvar.run.decisions import softmax
from edgecvar.run.exit_counts import added
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.runner import Runner
from edgecvar.stream.reader import open_stream

CONFIDENCES = (*(step / 20 for step in range(4, 19)), 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
"""Those that are tried, rising."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class ExitPlan:
    """How the exits' confidence is found: given, or chosen on `clips` of `name` at a loss of `max_drop` points."""

    confidence: Optional[float] = None
    name: str = ""
    clips: Sequence[Clip] = ()
    max_drop: float = 1.0


@dataclass(frozen=True)
class SeenClip:
    """A clip's class, and the scores (pictures, exits, classes) of its sampled pictures in display order."""

    label: int
    scores: Scores


def find_exits(plan: ExitPlan, draft: Draft, progress: Progress) -> Optional[ExitRecord]:
    """The rules of a draft with its fp32 stages; None without exits. Raises CompileError where no clip can be read."""
    names = exits_of(draft.stages)
    if not names:
        return None
    if plan.confidence is not None or not plan.clips:
        confidence = 1.0 if plan.confidence is None else plan.confidence
        return ExitRecord(rules=[ExitRule(stage=name, confidence=confidence) for name in names])
    seen: List[SeenClip] = []
    with draft.runner("fp32") as runner:
        for number, clip in enumerate(plan.clips):
            progress(number, len(plan.clips), "see where exits are sure, clips")
            seen += see_clip(clip, draft.manifest, runner)
    if not seen:
        raise CompileError(f"{plan.name}: no clip to choose exits on can be read; name others with --exit-data")
    found = lowest_confidences(seen, draft.input.consensus, plan.max_drop)
    rules = [ExitRule(stage=name, confidence=confidence) for name, confidence in zip(names, found)]
    return ExitRecord(rules=rules, trial=_trial(plan, rules, seen, draft, progress))


def see_clip(clip: Clip, manifest: Manifest, runner: Runner) -> List[SeenClip]:
    """The clip run without early exits; nothing of one that cannot be read or has no decision."""
    seeing = _Seeing(runner, [*exits_of(manifest.stages), manifest.stages[-1].name])
    try:
        with open_stream(clip.path, frames=takes_frames(manifest.stages), on_demand=True) as stream, recognize(
            stream, manifest, seeing, RunOptions(top=1, exits="off")
        ) as run:
            shown = [decision.decode_index for decision in run]
    except StreamError:
        return []
    if not shown:
        return []
    # Stages of a picture run in decode order, and decisions come in display order.
    in_turn = np.argsort(np.argsort(shown))
    scores = np.stack([np.stack(each) for each in seeing.scores.values()], axis=1).astype(np.float64)
    return [SeenClip(manifest.labels.index(clip.label), scores[in_turn])]


class _Seeing:
    """A runner that keeps the scores of the stages that give some."""

    def __init__(self, runner: Runner, names: Sequence[str]) -> None:
        self.name = runner.name
        self.scores: Dict[str, List[NDArray[np.float32]]] = {name: [] for name in names}
        self._runner = runner

    def __enter__(self) -> _Seeing:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        launched = self._runner.launch(stage, inputs)
        if stage in self.scores:
            self.scores[stage].append(self._runner.fetch(launched)[0])
        return launched

    def fetch(self, value: Any) -> NDArray[np.float32]:
        return self._runner.fetch(value)


def lowest_confidences(clips: Sequence[SeenClip], consensus: int, max_drop: float) -> List[float]:
    """Of each exit the lowest that loses at most so many points, as do all above it; 1 where none does."""
    exits = clips[0].scores.shape[1] - 1
    found = [1.0] * exits
    whole = _right(clips, found, consensus)
    for place in reversed(range(exits)):
        for confidence in reversed(CONFIDENCES):
            tried = [*found[:place], confidence, *found[place + 1 :]]
            early = _right(clips, tried, consensus)
            if max(before - after for before, after in zip(whole, early)) > max_drop / 100 + 1e-9:
                break
            found = tried
    return found


def _right(clips: Sequence[SeenClip], confidences: Sequence[float], consensus: int) -> NDArray[np.float64]:
    """The parts of clips, and of decisions, that are right at these confidences of the exits."""
    clips_right, decisions_right = [], []
    for clip in clips:
        scores = leaving_scores(clip.scores, confidences)
        clips_right.append(int(scores.mean(0).argmax()) == clip.label)
        sums = np.cumsum(np.concatenate([np.zeros((1, scores.shape[1])), scores]), axis=0)
        ends = np.arange(1, len(sums))
        decided = sums[ends] - sums[np.maximum(0, ends - consensus)]  # the mean's place of the largest is the sum's
        decisions_right += list(decided.argmax(1) == clip.label)
    return np.array([np.mean(clips_right), np.mean(decisions_right)])


def leaving_scores(scores: Scores, confidences: Sequence[float]) -> Scores:
    """Of scores (pictures, exits, classes), those that each picture leaves with, (pictures, classes)."""
    left = scores[:, -1].copy()
    for place in reversed(range(scores.shape[1] - 1)):
        here = scores[:, place]
        sure = (softmax(here).max(1) >= confidences[place]) & (confidences[place] < 1)
        left[sure] = here[sure]
    return left


def _trial(
    plan: ExitPlan, rules: Sequence[ExitRule], seen: Sequence[SeenClip], draft: Draft, progress: Progress
) -> ExitTrial:
    """What the rules come to, run on the same clips."""
    manifest = draft.manifest.model_copy(update={"exits": ExitRecord(rules=list(rules))})
    results = []
    with draft.runner("fp32") as runner:
        for number, clip in enumerate(plan.clips):
            progress(number, len(plan.clips), "run with early exits, clips")
            results.append(score_clip(clip, manifest, runner, None))
    evaluation = tally(manifest.labels, results)
    never = [1.0] * len(rules)
    whole = _right(seen, never, manifest.input.consensus)[0] * len(seen)
    counts = added(each.exits for each in results if isinstance(each, RunScore) and each.exits is not None)
    adds = multiply_adds_of({spec.name: draft.file(spec.name, "fp32") for spec in draft.stages})
    return ExitTrial(
        **counts.shares(adds, draft.stages).model_dump(),
        data=plan.name,
        clips=evaluation.clips,
        top1=evaluation.top1 or 0.0,
        top1_whole=float(whole) / evaluation.clips,
        max_drop=plan.max_drop,
    )
