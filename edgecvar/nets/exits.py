"""Early exits: class scores after MV, after MV and R, then of the whole, so that a run may stop where it is sure.

After Soufleri et al. 2024 (arXiv 2407.02713), who run the modalities of compressed video in the order MV, R, I, from
the cheapest to the dearest, and attach internal classifiers as early exits; train them by progressive knowledge
distillation (PKD); and combine what has been seen by learned weights (WISE). Of that paper no more than the abstract
was at hand. What is chosen here:

- One exit a modality, at the end of its network: a stage is what a run can leave out, and a network is a stage. Theirs
  are within the three networks too.
- An exit gives the scores of all that has been seen so far, and the last exit is the network as it is without exits.
- The combination is a mean of the streams' scores by weights that are learned: a softmax over one number a stream, for
  each exit its own, beginning at those that the options give.
- Distillation (the loss `exits`, `train/losses.py`) goes from each exit to the one before it, picture by picture: the
  knowledge of all modalities reaches MV by way of R. Theirs goes from MV's network to R's and to I's.
- Where a run stops is no part of the network: a bundle has a confidence for each exit (`bundle/exits.py`).

An exit that is left out must not have been remembered, so networks whose stages have state or `segments` have none.
"""

from __future__ import annotations

from typing import Iterable, List, Mapping, Sequence

import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.nets.modules.attp_fusion import LinearFusion
from edgecvar.nets.stages import joining, stage_output

ORDER = ("motion", "residual", "appearance")
"""The modalities as exits come: from the cheapest to the one that decodes an I-picture."""


def in_exit_order(streams: Iterable[str]) -> List[str]:
    """The streams in ORDER."""
    known = set(streams)
    return [name for name in ORDER if name in known]


def exit_name(stream: str) -> str:
    """Of the stage whose scores are those of this stream and of the ones before it."""
    return f"{stream}_exit"


class Ensemble(nn.Module):
    """Scores (B, classes) of several streams to their mean by learned weights, which begin as given (all above 0)."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(weights).log())

    def forward(self, *scores: Tensor) -> Tensor:
        shares = self.logits.softmax(0)
        return torch.stack([share * each for share, each in zip(shares, scores)]).sum(0)


class ExitHead(LinearFusion):
    """What fusion takes of the branches so far, (B, c) or maps (B, c, h', w') each, to class scores: a layer on each.

    Of maps it is their mean over positions.
    """

    def forward(self, *branches: Tensor) -> Tensor:
        return super().forward(*(branch.mean((2, 3)) if branch.ndim == 4 else branch for branch in branches))


def with_exits(streams: Mapping[str, StageSpec], fuse: StageSpec, classes: int, scored: bool) -> List[StageSpec]:
    """The stages of the `streams` as exits come, a stage that leaves behind each but the last, then `fuse`.

    Where streams are `scored`, giving class scores themselves, the first of them is the first exit.
    """
    stages: List[StageSpec] = []
    order = in_exit_order(streams)
    for seen, name in enumerate(order, 1):
        if seen == 1 and scored:
            stages.append(streams[name].model_copy(update={"exit": True}))
            continue
        stages.append(streams[name])
        if seen < len(order):
            inputs = [stage_output(each, streams[each].output_shape) for each in order[:seen]]
            leaving = joining(exit_name(name), inputs, [classes])
            stages.append(leaving.model_copy(update={"exit": True}))
    return [*stages, fuse]
