"""Each loss against a plain restatement of its equation, and the rules of who learns what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional, Tuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.features import Features, LayerPair
from edgecvar.train.losses import LOSSES, ForwardPass, check_losses, needs_flow
from edgecvar.train.recipe import parse_recipe

pytestmark = pytest.mark.train

N, T, CLASSES = 2, 3, 4
FIELDS = ("image", "adjacent_image", "motion", "residual", "labels", "flow")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Judge(nn.Module):
    """Logits of fake and real from a motion's means."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2).double()

    def forward(self, motion: Tensor) -> Tensor:
        return self.linear(motion.mean((2, 3)))


class Teacher(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(2, 5, 1).double()
        self.last = nn.Linear(5, CLASSES).double()

    def forward(self, flow: Tensor) -> LayerPair:
        maps = self.maps(flow)
        return LayerPair(maps, self.last(maps.mean((2, 3))))


def seen(after: bool = True, **companions: nn.Module) -> ForwardPass:
    motion, flow = draw(N, T, 2, 6, 8, seed=1), draw(N, T, 2, 6, 8, seed=2)
    three = draw(N, T, 3, 6, 8)
    batch = ClipBatch(three, three, motion, three, torch.tensor([1, 3]), flow)
    before = draw(N * T, 5, 6, 8, seed=3).requires_grad_()
    pair = LayerPair(before, draw(N * T, CLASSES, seed=4) if after else None)
    cue = draw(N, T, 2, 6, 8, seed=5).requires_grad_()
    return ForwardPass(batch, Features(draw(N, CLASSES, seed=6), pair, cue), companions, 0.0)


def surprise(logits: Any, answer: int) -> float:
    """-log softmax, one row at a time, averaged."""
    rows = np.asarray(logits)
    return float(np.mean([-np.log(np.exp(row[answer]) / sum(np.exp(each) for each in row)) for row in rows]))


def value(name: str, given: ForwardPass) -> float:
    return LOSSES[name].term(given).value.item()


@pytest.mark.parametrize("name", ["cross_entropy", "streams", "teacher"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_clip_counts_as_its_class_weighs(name: str, smoothing: float) -> None:
    """The mean over the batch of what each clip gives by itself, times its weight; with weights of 1, as without."""
    given = seen(teacher=Teacher())
    streams = (draw(N, CLASSES, seed=7), draw(N, CLASSES, seed=8))
    given = replace(given, features=replace(given.features, streams=streams), label_smoothing=smoothing)
    weights = draw(CLASSES, seed=9).abs() + 0.5
    expected = []
    for clip, label in enumerate(given.batch.labels):
        alone = {field: getattr(given.batch, field)[clip : clip + 1] for field in FIELDS}
        cut = Features(given.features.scores[clip : clip + 1], streams=tuple(each[clip : clip + 1] for each in streams))
        bare = replace(given, batch=ClipBatch(**alone), features=cut)
        expected.append(weights[label].item() * value(name, bare))
    assert value(name, replace(given, class_weights=weights)) == pytest.approx(sum(expected) / N, abs=1e-9)
    even = replace(given, class_weights=torch.ones(CLASSES, dtype=torch.float64))
    assert value(name, even) == pytest.approx(value(name, given), abs=1e-9)


def test_cross_entropy_is_equation_9() -> None:
    given = seen()
    scores = given.features.scores.numpy()
    expected = np.mean([surprise(scores[:1], 1), surprise(scores[1:], 3)])
    assert value("cross_entropy", given) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("own_last_layer", [True, False])
def test_alignment_is_equation_8_over_the_number_of_elements(own_last_layer: bool) -> None:
    teacher, student = Teacher(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)).double()
    given = seen(own_last_layer, teacher=teacher, student=student)
    motion = given.features.motion
    assert motion is not None
    pupil = motion.after if motion.after is not None else student(motion.before)
    taught = teacher(given.flow())
    expected = 0.0
    for mine, other in ((motion.before, taught.before), (pupil, taught.after)):
        pairs = zip(mine.detach().flatten().tolist(), other.detach().flatten().tolist())
        expected += sum((a - b) ** 2 for a, b in pairs) / mine.numel()
    assert value("alignment", given) == pytest.approx(expected, abs=1e-9)
    LOSSES["alignment"].term(given).value.backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    assert motion.before.grad is not None and motion.before.grad.abs().sum() > 0
    assert own_last_layer or all(weight.grad is not None for weight in student.parameters())


def taught(own_last_layer: bool) -> Tuple[ForwardPass, np.ndarray, np.ndarray]:
    """What a pupil and its teacher have after the last layer, (N * T, classes), and where a loss finds it."""
    teacher, student = Teacher(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)).double()
    given = seen(own_last_layer, teacher=teacher, student=student)
    motion = given.features.motion
    assert motion is not None
    pupil = motion.after if motion.after is not None else student(motion.before)
    return given, pupil.detach().numpy(), teacher(given.flow()).after.detach().numpy()


@pytest.mark.parametrize("own_last_layer", [True, False])
def test_alignment_after_the_last_layer_is_the_second_half_of_equation_8(own_last_layer: bool) -> None:
    given, pupil, teacher = taught(own_last_layer)
    expected = sum((a - b) ** 2 for a, b in zip(pupil.flat, teacher.flat)) / pupil.size
    assert value("alignment_fc", given) == pytest.approx(expected, abs=1e-9)
    assert value("alignment", given) > expected + 1e-3


@pytest.mark.parametrize("own_last_layer", [True, False])
def test_distillation_is_hintons(own_last_layer: bool) -> None:
    """T^2 sum_k q_k (log q_k - log p_k) of a picture, with exp(z_i / T) / sum_j exp(z_j / T) and T = 4; the mean."""
    given, pupil, teacher = taught(own_last_layer)
    each = []
    for mine, other in zip(pupil, teacher):
        p, q = (np.exp(row / 4) / sum(np.exp(z / 4) for z in row) for row in (mine, other))
        each.append(16 * sum(q[k] * (np.log(q[k]) - np.log(p[k])) for k in range(CLASSES)))
    assert len(each) == N * T and min(each) > 0
    assert value("distillation", given) == pytest.approx(np.mean(each), abs=1e-9)


def test_distillation_asks_for_the_teachers_probabilities_and_moves_the_pupil_alone() -> None:
    """Its gradient is Hinton et al. 2015, eq. 2: T (p - q) of each logit, over the number of pictures."""
    given, pupil, teacher = taught(True)
    motion = given.features.motion
    assert motion is not None and motion.after is not None
    motion.after.requires_grad_()
    LOSSES["distillation"].term(given).value.backward()
    p, q = (torch.softmax(torch.from_numpy(each) / 4, 1) for each in (pupil, teacher))
    assert motion.after.grad is not None and torch.allclose(motion.after.grad, 4 * (p - q) / (N * T))
    assert all(weight.grad is None for weight in given.companions["teacher"].parameters())


def test_the_teacher_is_judged_by_its_mean_over_segments() -> None:
    teacher = Teacher()
    given = seen(teacher=teacher)
    after = teacher(given.flow()).after
    assert after is not None
    scores = after.detach().numpy().reshape(N, T, CLASSES).mean(1)
    expected = np.mean([surprise(scores[:1], 1), surprise(scores[1:], 3)])
    assert value("teacher", given) == pytest.approx(expected, abs=1e-9)


def test_dmc_losses_are_equations_1_to_3() -> None:
    judge = Judge()
    given = seen(discriminator=judge)
    cue, flow = given.cue(), given.flow()
    assert value("reconstruction", given) == pytest.approx(((cue - flow) ** 2).mean().item(), abs=1e-9)
    fake, real = judge(cue).detach().numpy(), judge(flow).detach().numpy()
    assert value("discriminator", given) == pytest.approx(surprise(fake, 0) + surprise(real, 1), abs=1e-9)
    assert value("adversarial", given) == pytest.approx(surprise(fake, 1), abs=1e-9)


@pytest.mark.parametrize("side", [2, 4, 16])
def test_a_generator_may_learn_from_flow_in_blocks(side: int) -> None:
    """Each block of the flow is its mean, of what there is of it; the cue keeps every pixel of its own."""
    judge = Judge()
    given = replace(seen(discriminator=judge), reconstruct_at=side)
    flow = given.flow().numpy()
    blocky = np.empty_like(flow)
    for top in range(0, flow.shape[2], side):
        for left in range(0, flow.shape[3], side):
            block = np.s_[..., top : top + side, left : left + side]
            blocky[block] = flow[block].mean((2, 3), keepdims=True)
    assert not np.allclose(blocky, flow)
    expected = ((given.cue().detach().numpy() - blocky) ** 2).mean()
    assert value("reconstruction", given) == pytest.approx(expected, abs=1e-9)
    fake, real = judge(given.cue()).detach().numpy(), judge(torch.from_numpy(blocky)).detach().numpy()
    assert value("discriminator", given) == pytest.approx(surprise(fake, 0) + surprise(real, 1), abs=1e-9)


def test_the_discriminator_judges_a_cue_alike_in_equations_2_and_3() -> None:
    """Batch norm sees cues among cues and flows among flows."""
    judge = nn.Sequential(nn.BatchNorm2d(2).double(), Judge()).train()
    given = seen(discriminator=judge)

    def alone(motion: Tensor) -> np.ndarray:
        mean, variance = motion.mean((0, 2, 3), keepdim=True), motion.var((0, 2, 3), unbiased=False, keepdim=True)
        return judge[1]((motion - mean) / (variance + 1e-5).sqrt()).detach().numpy()

    fake, real = alone(given.cue()), alone(given.flow())
    assert value("discriminator", given) == pytest.approx(surprise(fake, 0) + surprise(real, 1), abs=1e-9)
    assert value("adversarial", given) == pytest.approx(surprise(fake, 1), abs=1e-9)


def test_the_discriminators_loss_leaves_the_generator_alone() -> None:
    judge = Judge()
    given = seen(discriminator=judge)
    LOSSES["discriminator"].term(given).value.backward()
    assert given.features.cue is not None
    assert given.features.cue.grad is None
    assert all(weight.grad is not None for weight in judge.parameters())
    LOSSES["adversarial"].term(given).value.backward()
    assert given.features.cue.grad is not None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reconstruction", "makes none"),
        ("alignment", "shows none"),
        ("alignment_fc", "shows none"),
        ("distillation", "shows none"),
        ("streams", "has none"),
    ],
)
def test_a_network_without_what_a_loss_wants_is_told(name: str, said: str) -> None:
    given = seen()
    bare = ForwardPass(given.batch, Features(given.features.scores), {}, 0.0)
    with pytest.raises(ConfigError, match=said):
        LOSSES[name].term(bare)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("losses: {cros_entropy: 1}", "unknown loss 'cros_entropy': did you mean 'cross_entropy'"),
        ("losses: {adversarial: 1}", "'adversarial' needs 'discriminator' in the same phase"),
        ("losses: {alignment: 1}", "'alignment' needs 'teacher' .* or set teacher=LAST.PT"),
        ("losses: {alignment_fc: 1}", "'alignment_fc' needs 'teacher' .* or set teacher=LAST.PT"),
        ("losses: {distillation: 1}", "'distillation' needs 'teacher' .* or set teacher=LAST.PT"),
        ("phases: [{epochs: 1, losses: {alignment: 1}}, {losses: {teacher: 1}}]", "needs 'teacher'"),
        ("teacher: x/last.pt", "no loss of the recipe looks at it"),
        ("losses: {discriminator: 1}", "no loss of the recipe trains the network; add cross_entropy"),
        ("losses: {teacher: 1}", None),
        ("phases: [{epochs: 1, losses: {teacher: 1}}, {losses: {alignment: 1}}]", None),
        ("teacher: x/last.pt\nlosses: {alignment: 1}", None),
        ("teacher: x/last.pt\nlosses: {alignment_fc: 1}", None),
        ("teacher: x/last.pt\nlosses: {distillation: 1}", None),
    ],
)
def test_who_learns_from_whom_is_checked_before_anything_is_read(keys: str, said: Optional[str]) -> None:
    course = parse_recipe(f"model: attp\ndata: x\n{keys}").course
    if said is None:
        check_losses(course)
        assert needs_flow(course)
    else:
        with pytest.raises(ConfigError, match=said):
            check_losses(course)
