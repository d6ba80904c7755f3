"""What a network shows of one forward pass to the losses that ask for more than its scores.

A network that shows more than scores computes each part when it is first asked for (a subclass with cached
properties): a phase pays for what its losses look at, and batch norm sees no pass that nothing learns from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from torch import Tensor


@dataclass(frozen=True)
class LayerPair:
    """Features of a motion network before its last layer, (N * T, c, h, w), and after it, (N * T, classes).

    `after` is None where the network has no last layer of its own on motion (Huo et al. 2020, eq. 8: f^(3d), f^(fc)).
    """

    before: Tensor
    after: Optional[Tensor]


@dataclass(frozen=True)
class Features:
    """`scores` (N, classes); what else the network has, None elsewhere.

    `motion`: of its motion branch. `cue` (N, T, 2, h, w): the motion it generates, in the units of the batch's
    (Shou et al. 2019, G_DMC). `streams`: scores (N, classes) of parts that share no weights and are fused late.
    `exits`: scores (N, T, classes) of each picture at every exit in turn, the last of them the whole's (nets/exits.py).
    """

    scores: Tensor
    motion: Optional[LayerPair] = None
    cue: Optional[Tensor] = None
    streams: Tuple[Tensor, ...] = ()
    exits: Tuple[Tensor, ...] = ()
