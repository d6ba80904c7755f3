"""The losses that a recipe names: functions of what one forward pass shows.

Chosen where the papers leave it open. Squared distances (Huo et al. 2020, eq. 8; Shou et al. 2019, eq. 1, which calls
it a mean) are means over elements, so that a weight keeps its meaning at every input size. The teacher LiteNet_OF
learns by cross-entropy, in a phase before alignment or in an earlier run, and stands still while it is aligned to.
It starts from the weights that its pupil starts from, as both are one network of one pre-training. Where the network
has no last layer on motion (it pools motion with the other modalities), f^(fc) comes from one that training alone has.

Other rows of Huo et al. 2020, figure 4 right: `alignment_fc` is the second half of eq. 8; `distillation` is Hinton et
al. 2015, eq. 1 and section 2, of which Huo et al. print the reference alone. Chosen: a sampled picture is an example,
as in eq. 8; the temperature is 4, of the 2.5 to 4 that Hinton et al. found best for small pupils (section 3); what is
minimised is the Kullback-Leibler divergence, which differs from their cross-entropy by what no pupil can change.

DMC's released runs without an adversary, and those with I3D, show the generator flow in means over 16 x 16 pixels
(flow_ds_factor), each repeated over its block, so that the cue keeps its resolution and is compared pixel by pixel; the
discriminator takes what the generator does. The runs with an adversary and a ResNet-18 show flow as it is. So it is a
phase's key (`reconstruct_at`).

The discriminator takes cues and flows as batches of their own, in eq. 2 as in eq. 3 (Shou et al. 2019): its batch norm
then makes one function of a cue in both, and the generator answers to the one that was taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Set, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.features import Features, LayerPair
from edgecvar.train.parts import Course
from edgecvar.train.settings import Phase

REAL, FAKE = 1, 0
"""Columns of a discriminator's logits."""

TEMPERATURE = 4.0
"""T of Hinton et al. 2015, eq. 1."""


@dataclass(frozen=True)
class ForwardPass:
    """What a loss may look at.

    `class_weights` (classes,) where classes do not count alike; `reconstruct_at`: see Phase.
    """

    batch: ClipBatch
    features: Features
    companions: Mapping[str, nn.Module]
    label_smoothing: float
    class_weights: Optional[Tensor] = None
    reconstruct_at: int = 1

    def cross_entropy(self, scores: Tensor) -> Tensor:
        """Of scores (N, classes) of the batch's clips; a clip counts as its class weighs."""
        labels, smoothing = self.batch.labels, self.label_smoothing
        scores = scores if scores.dtype.itemsize >= 4 else scores.float()
        if self.class_weights is None:
            return functional.cross_entropy(scores, labels, label_smoothing=smoothing)
        each = functional.cross_entropy(scores, labels, label_smoothing=smoothing, reduction="none")
        return (each * self.class_weights[labels]).mean()

    def flow(self) -> Tensor:
        """Optical flow of every sampled picture, (N * T, 2, h, w)."""
        assert self.batch.flow is not None, "batches have flow where a loss asks for it"
        return self.batch.flow.flatten(0, 1)

    def guide(self) -> Tensor:
        """The flow that a generator learns from: `flow`, each block of `reconstruct_at` squared pixels its mean."""
        side, flow = self.reconstruct_at, self.flow()
        if side == 1:
            return flow
        means = functional.avg_pool2d(flow, side, ceil_mode=True)  # of what there is, at the edges
        blocks = means.repeat_interleave(side, 2).repeat_interleave(side, 3)
        return blocks[..., : flow.shape[2], : flow.shape[3]]

    def cue(self) -> Tensor:
        """The generated motion of every sampled picture, (N * T, 2, h, w)."""
        if self.features.cue is None:
            raise ConfigError("a loss of the recipe compares generated motion with flow, but the network makes none")
        return self.features.cue.flatten(0, 1)


@dataclass(frozen=True)
class Term:
    """A loss's mean over the batch; `scores` (N, classes) where it judges some."""

    value: Tensor
    scores: Optional[Tensor] = None


@dataclass(frozen=True)
class Loss:
    """A loss, the step that it belongs to, and what it needs."""

    term: Callable[[ForwardPass], Term]
    step: str = "network"
    companions: Tuple[str, ...] = ()
    flow: bool = True


def cross_entropy(forward: ForwardPass) -> Term:
    """Huo et al. 2020, eq. 9, of the clip's scores."""
    scores = forward.features.scores
    return Term(forward.cross_entropy(scores), scores)


def streams(forward: ForwardPass) -> Term:
    """The sum of each stream's cross-entropy: streams that share no weights learn as if alone (Wu et al. 2018)."""
    if not forward.features.streams:
        raise ConfigError("the streams loss trains the streams of a late fusion apart, but the network has none")
    each = [forward.cross_entropy(scores) for scores in forward.features.streams]
    return Term(torch.stack(each).sum(), forward.features.scores)


def alignment(forward: ForwardPass) -> Term:
    """Huo et al. 2020, eq. 8: motion features before and after the last layer, against a teacher's on optical flow."""
    pupil, teacher = _pupil_and_teacher(forward)
    before = functional.mse_loss(pupil.before, teacher.before)
    return Term(before + functional.mse_loss(_last(pupil), _last(teacher)))


def alignment_fc(forward: ForwardPass) -> Term:
    """Huo et al. 2020, figure 4, "after FC layer": of eq. 8 the features after the last layer alone."""
    pupil, teacher = _pupil_and_teacher(forward)
    return Term(functional.mse_loss(_last(pupil), _last(teacher)))


def distillation(forward: ForwardPass) -> Term:
    """Hinton et al. 2015: softened class probabilities of each sampled picture, against the teacher's, times T^2."""
    pupil, teacher = _pupil_and_teacher(forward)
    mine = functional.log_softmax(_last(pupil) / TEMPERATURE, 1)
    taught = functional.log_softmax(_last(teacher) / TEMPERATURE, 1)
    return Term(TEMPERATURE**2 * functional.kl_div(mine, taught, reduction="batchmean", log_target=True))


def _pupil_and_teacher(forward: ForwardPass) -> Tuple[LayerPair, LayerPair]:
    """The motion branch on motion vectors, and the teacher on optical flow, which gathers no gradients."""
    motion = forward.features.motion
    if motion is None:
        raise ConfigError("a loss of the recipe compares motion features with a teacher's, but the network shows none")
    with torch.no_grad():
        teacher: LayerPair = forward.companions["teacher"](forward.flow())
    after = forward.companions["student"](motion.before) if motion.after is None else motion.after
    return LayerPair(motion.before, after), teacher


def _last(pair: LayerPair) -> Tensor:
    assert pair.after is not None, "a teacher and its pupil have a last layer"
    return pair.after


def teacher(forward: ForwardPass) -> Term:
    """Cross-entropy of LiteNet_OF: optical flow instead of motion vectors, logits averaged over the segments."""
    after = forward.companions["teacher"](forward.flow()).after
    scores = forward.batch.mean(after.unflatten(0, forward.batch.motion.shape[:2]))
    return Term(forward.cross_entropy(scores), scores)


def reconstruction(forward: ForwardPass) -> Term:
    """Shou et al. 2019, eq. 1: the generated motion against optical flow."""
    return Term(functional.mse_loss(forward.cue(), forward.guide()))


def discriminator(forward: ForwardPass) -> Term:
    """Shou et al. 2019, eq. 2: the generated motion is fake and optical flow is real."""
    judge = forward.companions["discriminator"]
    return Term(_told_apart(judge(forward.cue().detach()), FAKE) + _told_apart(judge(forward.guide()), REAL))


def adversarial(forward: ForwardPass) -> Term:
    """Shou et al. 2019, eq. 3: the generated motion should be taken for real."""
    return Term(_told_apart(forward.companions["discriminator"](forward.cue()), REAL))


def _told_apart(logits: Tensor, answer: int) -> Tensor:
    return functional.cross_entropy(logits, torch.full_like(logits[:, 0], answer, dtype=torch.int64))


LOSSES = {
    "cross_entropy": Loss(cross_entropy, flow=False),
    "streams": Loss(streams, flow=False),
    "alignment": Loss(alignment, companions=("teacher", "student")),
    "alignment_fc": Loss(alignment_fc, companions=("teacher", "student")),
    "distillation": Loss(distillation, companions=("teacher", "student")),
    "reconstruction": Loss(reconstruction),
    "adversarial": Loss(adversarial, companions=("discriminator",)),
    "discriminator": Loss(discriminator, "discriminator", ("discriminator",)),
    "teacher": Loss(teacher, "teacher", ("teacher",)),
}

TEACHES = {
    "adversarial": "discriminator",
    "alignment": "teacher",
    "alignment_fc": "teacher",
    "distillation": "teacher",
}
"""A loss that learns from a companion, and the one that the companion learns by."""


def needs_flow(course: Course) -> bool:
    """Whether a loss of any phase looks at optical flow."""
    return any(LOSSES[name].flow for name in course.loss_names())


def trains_network(phase: Phase) -> bool:
    """Whether a loss of the phase is minimised by the network, not by a companion."""
    return any(LOSSES[name].step == "network" for name in phase.losses or {})


def check_losses(course: Course) -> None:
    """Raises ConfigError for an unknown loss, one whose companion nothing teaches, or where nothing of use learns."""
    taught: Set[str] = {"teacher"} if course.teacher is not None else set()
    phases = course.whole_phases()
    for phase in phases:
        losses = phase.losses or {}
        for name in losses:
            if name not in LOSSES:
                raise unknown_name("loss", name, LOSSES)
        taught |= losses.keys()
        for name, other in TEACHES.items():
            if name in losses and other not in taught:
                hint = "; or set teacher=LAST.PT of a run that has one" if other == "teacher" else ""
                raise ConfigError(f"loss {name!r} needs {other!r} in the same phase or one before it{hint}")
    names = {name for phase in phases for name in phase.losses or {}}
    if "teacher" not in names and not any(map(trains_network, phases)):
        raise ConfigError("no loss of the recipe trains the network; add cross_entropy to its losses")
    if course.teacher is not None and not any(TEACHES.get(name) == "teacher" for name in names):
        raise ConfigError(f"teacher={course.teacher}: no loss of the recipe looks at it; add alignment to its losses")
