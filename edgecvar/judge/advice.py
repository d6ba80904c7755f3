"""What to try next, by rules over what a training run has reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import AbstractSet, Callable, List, Mapping, Optional, Sequence

from edgecvar.judge.outcomes import ClassOutcome, Outcomes

FEW_CLIPS = 10
"""Training clips of a class below which its accuracy is mostly luck."""
FEW_JUDGED = 50
"""Validation clips below which one more or less right is a noticeable step."""
FAR = 0.15
"""Of top-1: validation so far below training has learnt its clips by heart."""
LOW = 0.7
"""Top-1 on its own training clips below which a run has not learnt enough to be judged by validation."""
UNSURE = 0.1
"""Of calibration error: above it a probability says little."""
NAMED = 5
"""Classes that a line names; the others are counted."""


@dataclass(frozen=True)
class Standing:
    """What a run has reached; parts are 0 to 1, `train_clips` by class.

    `train_top1` is that of the last epoch that judged its clips: what is learnt by heart shows after the best one.
    `mirrored`: the classes whose clips training mirrors without another label.
    """

    epochs: int
    best_epoch: int
    train_top1: Optional[float]
    validation_top1: Optional[float]
    train_clips: Mapping[str, int]
    unreadable: int
    mirrored: AbstractSet[str]
    outcomes: Optional[Outcomes]

    @property
    def judged(self) -> int:
        """Validation clips that could be read."""
        return 0 if self.outcomes is None else self.outcomes.evaluation.clips

    @property
    def chance(self) -> float:
        """What naming the commonest class each time would get; of at least one judged clip."""
        assert self.outcomes is not None and self.outcomes.evaluation.chance is not None
        return self.outcomes.evaluation.chance

    @property
    def at_chance(self) -> bool:
        """Whether naming one class each time would do as well, within two standard errors."""
        if self.validation_top1 is None or not self.judged:
            return False
        error = math.sqrt(self.chance * (1 - self.chance) / self.judged)
        return self.validation_top1 <= self.chance + 2 * error


def advise(standing: Standing) -> List[str]:
    """A line for each thing that stands out, the gravest first; one line that nothing does, else."""
    lines = [line for rule in RULES for line in [rule(standing)] if line]
    return lines or ["Nothing stands out. Compile a bundle and try it on videos that are in neither part of the data."]


def _unjudged(standing: Standing) -> Optional[str]:
    if standing.judged:
        return None
    return (
        "No clip validates, so nothing here tells how good the network is: keep some clips apart, of people or places "
        "that training never sees (recipe keys validation, validation_pattern or split)."
    )


def _chance(standing: Standing) -> Optional[str]:
    if not standing.at_chance:
        return None
    reached, chance = standing.validation_top1 or 0.0, standing.chance
    got = f"Validation is at chance level: {reached:.1%}, and naming the commonest class gets {chance:.1%}."
    if standing.train_top1 is not None and standing.train_top1 >= LOW:
        return (
            f"{got} Training reaches {standing.train_top1:.1%}, so clips were learnt by heart: the classes may differ "
            "by what is not in the validation clips, or labels may be mixed up between the parts."
        )
    return f"{got} Training has not got far either: more epochs, another lr, or weights to start from."


def _by_heart(standing: Standing) -> Optional[str]:
    train, validation = standing.train_top1, standing.validation_top1
    if train is None or validation is None or standing.at_chance or train - validation <= FAR:
        return None
    return (
        f"Validation is far below training ({validation:.1%} against {train:.1%}): clips are learnt by heart. More "
        "clips of other people and places help most; then augment, a smaller network, and weights to start from."
    )


def _unlearnt(standing: Standing) -> Optional[str]:
    if standing.train_top1 is None or standing.train_top1 >= LOW or standing.at_chance:
        return None
    return (
        f"Training itself reaches only {standing.train_top1:.1%}: more epochs, a higher lr or a larger network. If it "
        "stays there, look whether the labels are right and the motion is large enough to see at the input's size."
    )


def _unfinished(standing: Standing) -> Optional[str]:
    if standing.validation_top1 is None or standing.best_epoch < standing.epochs or standing.validation_top1 == 1:
        return None
    return f"The best epoch is the last of {standing.epochs}: it may still get better with more epochs."


def _few(standing: Standing) -> Optional[str]:
    few = [label for label, clips in standing.train_clips.items() if clips < FEW_CLIPS]
    if not few:
        return None
    return f"Fewer than {FEW_CLIPS} clips train {_listed(few)}: record more of these first."


def _unbalanced(standing: Standing) -> Optional[str]:
    clips = standing.train_clips
    most, least = max(clips, key=lambda label: clips[label]), min(clips, key=lambda label: clips[label])
    if clips[most] < 3 * clips[least]:
        return None
    return f"Classes are unevenly filled: {clips[most]} clips of {most}, {clips[least]} of {least}."


def _few_judged(standing: Standing) -> Optional[str]:
    if not 0 < standing.judged < FEW_JUDGED:
        return None
    step = 100 / standing.judged
    return (
        f"Only {standing.judged} clips validate: each is {step:.1f} points of top-1, so do not choose between recipes "
        "by differences of a few clips; repeat with other seeds, or validate on more."
    )


def _confused(standing: Standing) -> Optional[str]:
    if standing.outcomes is None or standing.at_chance:
        return None
    rows = [row for row in standing.outcomes.classes if row.confused >= max(2, 0.2 * row.clips)]
    if not rows:
        return None
    worst = max(rows, key=lambda row: row.confused / row.clips)
    line = f"{worst.confused} of {worst.clips} clips of {worst.label} are taken for {worst.confused_with}."
    if {worst.label, worst.confused_with} <= standing.mirrored and _mirror_pair(worst):
        return f"{line} augment.flip mirrors clips without exchanging their labels: name the two in augment.mirror."
    return f"{line} Look at these clips: is it the same action at first, or labelled wrongly? Merge them or add clips."


def _mirror_pair(row: ClassOutcome) -> bool:
    names = f"{row.label} {row.confused_with}".lower()
    return "left" in names and "right" in names


def _overconfident(standing: Standing) -> Optional[str]:
    found = None if standing.outcomes is None else standing.outcomes.calibration
    if found is None or found.error <= UNSURE or standing.judged < FEW_JUDGED:
        return None
    how = "higher" if found.excess > 0 else "lower"
    return (
        f"Probabilities are {how} than they may be (calibration error {found.error:.1%}): choose thresholds on clips "
        "that were kept apart" + (", and try label_smoothing=0.1." if found.excess > 0 else ".")
    )


def _unread(standing: Standing) -> Optional[str]:
    count = standing.unreadable
    return f"{count} clips could not be read and took no part; the run's output named them." if count else None


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" and {more} more classes" if more > 0 else "")


RULES: Sequence[Callable[[Standing], Optional[str]]] = (
    *(_unjudged, _chance, _by_heart, _unlearnt, _unfinished, _confused),
    *(_few, _unbalanced, _few_judged, _overconfident, _unread),
)
