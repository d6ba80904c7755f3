"""What a run's figures mean, and what to try next."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import List, Optional, Sequence

from edgecvar.clips.labelled import Clip
from edgecvar.train.history import EpochRecord

GAP = 0.2
"""Top-1 of training above that of validation from which on the clips are learnt by heart."""
LEARNT = 0.7
"""Top-1 of training below which it has not learnt its own clips."""
FEW = 20
"""Clips that validate below which one of them weighs much."""
SIGMAS = 2.0
"""Standard deviations above chance that are no chance."""


def remarks(
    records: Sequence[EpochRecord], best: Optional[EpochRecord], validation: Sequence[Clip], folder: Path
) -> List[str]:
    """Lines about a run that has ended in `folder`, each with what to try; none where there is nothing to say."""
    if best is None or not records:
        return []
    if best.validation_top1 is None:
        return ["nothing validated, so nobody knows how good it is: train with validation_fraction=0.25"]
    top1, learnt, last = best.validation_top1, records[-1].train_top1, records[-1].epoch
    chance = max(Counter(clip.label for clip in validation).values()) / len(validation)
    longer = f"edgecvar train --resume {folder} epochs={2 * last}"
    lines = []
    if top1 <= chance + SIGMAS * math.sqrt(chance * (1 - chance) / len(validation)):
        lines.append(
            f"validation top-1 of {top1:.1%} is no better than chance ({chance:.1%} by the commonest class, "
            f"{_clips(len(validation))}): try longer ({longer}), weights= of another run, another recipe "
            "(edgecvar train --list), and look whether labels and split are right"
        )
    if learnt is not None and learnt - top1 >= GAP:
        lines.append(
            f"validation ({top1:.1%}) is far below training ({learnt:.1%}): it knows its clips by heart; try more "
            "clips, of more persons and places, weights= of a run on other clips, more augment, a smaller network"
        )
    elif learnt is not None and learnt < LEARNT:
        lines.append(
            f"training itself has reached {learnt:.1%} alone: try longer ({longer}), another lr, or another recipe"
        )
    elif best.epoch == last > 1 and top1 < 1:
        lines.append(f"the last epoch is the best: it may go on for longer: {longer}")
    if len(validation) < FEW:
        lines.append(f"{_clips(len(validation))} validate: each is {1 / len(validation):.1%} of the figure")
    return lines


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"
