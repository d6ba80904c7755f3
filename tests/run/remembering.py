"""A made-up network that remembers: every way in which a stage may see more than its state, none to be mistaken."""

from __future__ import annotations

from typing import List, Mapping, Tuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec, StageState
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.network import Network
from edgecvar.nets.stages import opening, stage_output
from tests.run.clip_network import WIDTH, Look

REACH = 3
"""Pictures before the newest that the convolution over time sees."""


class RememberingOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recall(nn.Module):
    """Class scores of what moves (B, WIDTH, h', w'), appearance and its neighbour, and what came before.

    State: the newest REACH features (B, WIDTH, REACH), and their fading sum (B, WIDTH).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(WIDTH, WIDTH, (REACH + 1, 1))
        self.classify = nn.Linear(4 * WIDTH, classes)

    def forward(
        self, moves: Tensor, appearance: Tensor, beside: Tensor, past: Tensor, faded: Tensor
    ) -> Tuple[Tensor, Tensor, Tensor]:
        newest = torch.cat([past, moves.mean((2, 3)).unsqueeze(2)], 2)
        seen = self.temporal(newest.unsqueeze(3)).flatten(1).relu()
        faded = 0.8 * faded + seen
        means = [seen, faded, appearance.mean((2, 3)), beside.mean((2, 3))]
        return self.classify(torch.cat(means, 1)), newest[:, :, 1:], faded


class Remembering(Network):
    def __init__(self, options: RememberingOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.appearance = Look(3)
        self.motion = Look(2)
        self.recall = Recall(classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"appearance": self.appearance, "motion": self.motion, "recall": self.recall}

    def stages(self) -> List[StageSpec]:
        maps = [WIDTH, self.spec.height // 8, self.spec.width // 8]
        beside = StageInput(name="beside", source="appearance", gop="adjacent", shape=maps)
        return [
            opening("appearance", "image", self.spec, maps),
            opening("motion", "motion", self.spec, maps),
            StageSpec(
                name="recall",
                cadence="picture",
                inputs=[stage_output("motion", maps), stage_output("appearance", maps), beside],
                output_shape=[self.classes],
                state=[StageState(name="past", shape=[WIDTH, REACH]), StageState(name="faded", shape=[WIDTH])],
            ),
        ]

    def each_picture(self, batch: ClipBatch) -> Tensor:
        """Scores (N, T, classes) of every picture of clips from their beginnings."""
        lead = batch.motion.shape[:2]
        motion, appearance, beside = (
            look(tensor.flatten(0, 1)).unflatten(0, lead)
            for look, tensor in (
                (self.motion, batch.motion),
                (self.appearance, batch.image),
                (self.appearance, batch.adjacent_image),
            )
        )
        past, faded = torch.zeros(lead[0], WIDTH, REACH), torch.zeros(lead[0], WIDTH)
        scores = []
        for place in range(lead[1]):
            one, past, faded = self.recall(motion[:, place], appearance[:, place], beside[:, place], past, faded)
            scores.append(one)
        return torch.stack(scores, 1)

    def forward(self, batch: ClipBatch) -> Tensor:
        return self.each_picture(batch).mean(1)
