"""The same classes from several sources, such as the same clips in other encodings, side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgecvar.clips.labelled import ClipScore
from edgecvar.judge.evaluate import Evaluation, tally

Key = Tuple[str, str]
"""What a clip is known by in every source: its label, and its file name without suffix."""


@dataclass(frozen=True)
class ScoredSource:
    """The clips of one source, scored."""

    name: str
    results: Sequence[ClipScore]


@dataclass(frozen=True)
class SourceRow:
    """One source against the first.

    `difference`: top-1 less that of the first. `paired` clips have a namesake of their class there: of these `changed`
    have another answer, `lost` are wrong and were right, `won` are right and were wrong. None where it is the first.
    """

    name: str
    evaluation: Evaluation
    difference: Optional[float] = None
    paired: Optional[int] = None
    changed: int = 0
    lost: int = 0
    won: int = 0


def compare_sources(labels: Sequence[str], sources: Sequence[ScoredSource]) -> List[SourceRow]:
    """A row for each source, in their order; a name that a source has twice in one class is paired with nothing.

    Unreadable clips are not paired. One that was not decided has an answer of its own, and a wrong one.
    """
    first = sources[0]
    reference, answers = tally(labels, first.results), _answers(first.results)
    rows = [SourceRow(first.name, reference)]
    for source in sources[1:]:
        evaluation = tally(labels, source.results)
        known = reference.top1 is not None and evaluation.top1 is not None
        difference = (evaluation.top1 or 0.0) - (reference.top1 or 0.0) if known else None
        others = _answers(source.results)
        pairs = [(labels.index(key[0]), answers[key], other) for key, other in others.items() if key in answers]
        rows.append(
            SourceRow(
                name=source.name,
                evaluation=evaluation,
                difference=difference,
                paired=len(pairs),
                changed=sum(one != other for _, one, other in pairs),
                lost=sum(one == label != other for label, one, other in pairs),
                won=sum(one != label == other for label, one, other in pairs),
            )
        )
    return rows


def _answers(results: Sequence[ClipScore]) -> Dict[Key, Optional[int]]:
    """What each clip was taken for, None where it was not decided."""
    readable = [each for each in results if each.error is None]
    counts = Counter(_key(each) for each in readable)
    return {
        _key(each): None if each.scores is None else int(np.argmax(each.scores))
        for each in readable
        if counts[_key(each)] == 1
    }


def _key(result: ClipScore) -> Key:
    return result.clip.label, result.clip.path.stem
