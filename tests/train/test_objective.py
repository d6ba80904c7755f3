"""Steps, phases, rates and optimisers, in the one loop."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Set

import pytest
import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import load_checkpoint
from edgecvar.train.descent import learning_rate, make_optimizer
from edgecvar.train.history import EpochRecord, read_records
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.objective import Objective
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.settings import Phase
from edgecvar.train.start.checks import resolve
from tests.train.compared_runs import assert_same_runs

pytestmark = pytest.mark.train

TINY_DMC = """
model: dmc
network:
  motion: &small {repeats: [1, 1, 1, 1], width: 0.125}
  residual: *small
  classifier: *small
  weights: {appearance: 0}
input: {height: 32, width: 32}
data: x
"""
ATTP_ALIGNED = ["losses={cross_entropy: 1, alignment: 1}", "flow={preset: ultrafast, side: 32}"]
DMC_LOSSES = "{discriminator: 1, cross_entropy: 1, reconstruction: 10, adversarial: 1}"


def drawn_batch(objective: Objective, seed: int = 0) -> ClipBatch:
    random, spec = torch.Generator().manual_seed(seed), objective._network.spec
    shapes = {"image": "image", "adjacent_image": "image", "motion": "motion", "residual": "residual", "flow": "motion"}
    tensors = {n: torch.randn(2, 2, *spec.shape(s), generator=random) for n, s in shapes.items()}
    return ClipBatch(**tensors, labels=torch.tensor([0, 2]))


def objective_of(text: str, *overrides: str) -> Objective:
    recipe = resolve(parse_recipe(text, overrides))
    torch.manual_seed(0)
    network = build_network(recipe.network.model, recipe.network.options, recipe.network.input, classes=3)
    return Objective(recipe.course, recipe.descent, network, torch.device("cpu"))


def weights(module: nn.Module) -> Dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in module.state_dict().items()}


def moved(module: nn.Module, before: Dict[str, Tensor]) -> List[str]:
    return [name for name, value in module.state_dict().items() if not torch.equal(value, before[name])]


def test_discriminator_and_generator_take_turns_on_a_batch() -> None:
    """The discriminator moves by eq. 2 alone, the network by the rest, and only one gathers gradients at a time."""
    objective = objective_of(TINY_DMC, f"losses={DMC_LOSSES}")
    network, judge = objective._network, objective.companions["discriminator"]
    objective.begin(objective._course.phase(1))
    order: List[str] = []
    held: List[bool] = []
    for step, optimizer in objective._optimizers.items():
        optimizer.register_step_pre_hook(lambda *_, step=step: order.append(step))
    descend = objective._descend

    def watched(step: str, loss: Tensor, rate: float) -> float:
        before = weights(network), weights(judge)
        found = descend(step, loss, rate)
        own, other = (judge, network) if step == "discriminator" else (network, judge)
        parameters = {name for name, _ in other.named_parameters()}
        still = before[1] if other is judge else before[0]
        held.append(not parameters & set(moved(other, still)))
        assert moved(own, before[1] if own is judge else before[0])
        return found

    objective._descend = watched  # type: ignore[method-assign]
    outcome = objective.step(drawn_batch(objective), 0.01)
    assert order == ["discriminator", "network"]
    assert held == [True, True]
    assert set(outcome.terms) == {"discriminator", "cross_entropy", "reconstruction", "adversarial"}
    terms = outcome.terms
    expected = terms["cross_entropy"] + 10 * terms["reconstruction"] + terms["adversarial"]
    assert outcome.loss == pytest.approx(expected, rel=1e-5)


def test_a_phase_trains_the_parts_it_names_and_the_others_stand_still() -> None:
    """Statistics of batch norm included, though the whole network is run."""
    phases = "phases=[{epochs: 1, train: [generator]}, {}]"
    objective = objective_of(TINY_DMC, phases, "losses={cross_entropy: 1, reconstruction: 10}")
    network = objective._network
    before = weights(network)
    objective.begin(objective._course.phase(1))
    objective.step(drawn_batch(objective), 0.01)
    changed = moved(network, before)
    assert changed and all(name.startswith("generator.") for name in changed)
    before = weights(network)
    objective.begin(objective._course.phase(2))
    objective.step(drawn_batch(objective), 0.01)
    assert {name.partition(".")[0] for name in moved(network, before)} == {
        "generator",
        "classifier",
        "motion",
        "residual",
    }


def test_a_phase_says_how_fine_the_flow_is_that_the_generator_learns_from() -> None:
    """At the size of the input each map of noise is its mean: a smaller loss, by the variance of the noise."""
    phases = "phases=[{epochs: 1, reconstruct_at: 32}, {}]"
    objective = objective_of(TINY_DMC, phases, "losses={cross_entropy: 1, reconstruction: 10}")
    found = []
    for epoch in (1, 2):
        objective.begin(objective._course.phase(epoch))
        found.append(objective.step(drawn_batch(objective), 0.0).terms["reconstruction"])
    assert found[1] - found[0] == pytest.approx(1, abs=0.1)


def test_a_phase_runs_what_its_losses_look_at_and_no_more() -> None:
    """And batch norm's statistics of all else stand still."""
    objective = objective_of(TINY_DMC, "losses={reconstruction: 10}")
    network = objective._network
    ran = watched_parts(network)
    before = weights(network)
    objective.begin(objective._course.phase(1))
    outcome = objective.step(drawn_batch(objective), 0.01)
    assert ran == {"generator"} and all(name.startswith("generator.") for name in moved(network, before))
    assert outcome.scores is None and outcome.terms.keys() == {"reconstruction"}
    aligned = "{model: attp, data: x, teacher: x, network: {dim: 8, backbone: {width: 0.1, depth: 0.1}}}"
    for losses, expected in (("alignment", {"motion"}), ("teacher", set())):
        objective = objective_of(aligned, "input={height: 32, width: 32}", "losses={alignment: 1, teacher: 1}")
        ran = watched_parts(objective._network)
        objective.begin(Phase(losses={losses: 1.0}))
        objective.step(drawn_batch(objective), 0.01)
        assert ran == expected


def watched_parts(network: nn.Module) -> Set[str]:
    """Filled, as the network runs, with the parts of it that do: those with parameters."""
    ran: Set[str] = set()
    for name, part in network.named_modules():
        if any(True for _ in part.parameters(recurse=False)):
            part.register_forward_pre_hook(lambda *_, name=name: ran.add(name.partition(".")[0]))
    return ran


def test_rates_multiply_the_rate_of_the_longest_beginning() -> None:
    parameters = {name: nn.Parameter(torch.zeros(2, 2)) for name in ("a.w", "a.fc.w", "b.w")}
    recipe = parse_recipe("{model: attp, data: x, rates: {a: 0.01, a.fc: 1}, optimizer: sgd}")
    optimizer, rates = make_optimizer(recipe.descent, parameters)
    found = {id(each): factor for group, factor in zip(optimizer.param_groups, rates) for each in group["params"]}
    assert {name: found[id(each)] for name, each in parameters.items()} == {"a.w": 0.01, "a.fc.w": 1, "b.w": 1}


def test_sgd_is_the_textbooks() -> None:
    """v = m v + g + d w;  w -= lr v, with Nesterov w -= lr (g + d w + m v); biases do not decay."""
    for nesterov in (False, True):
        text = f"optimizer: {{name: sgd, momentum: 0.8, nesterov: {str(nesterov).lower()}}}"
        recipe = parse_recipe(f"model: attp\ndata: x\nlr: 0.1\nweight_decay: 0.3\n{text}")
        weight, bias = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1))
        optimizer, _ = make_optimizer(recipe.descent, {"w": weight, "b": bias})
        expected = [1.0, 1.0]
        speed = [0.0, 0.0]
        for gradient in (0.5, -0.2, 0.1):
            weight.grad, bias.grad = torch.full((1, 1), gradient), torch.full((1,), gradient)
            optimizer.step()
            for place, decay in enumerate((0.3, 0.0)):
                slope = gradient + decay * expected[place]
                speed[place] = 0.8 * speed[place] + slope
                expected[place] -= 0.1 * (slope + 0.8 * speed[place] if nesterov else speed[place])
        assert [weight.item(), bias.item()] == pytest.approx(expected, rel=1e-5)


def test_steps_fall_at_their_milestones_and_restart_begins_anew() -> None:
    text = "model: attp\ndata: x\nepochs: 10\nlr: 1\nwarmup_epochs: 0\nschedule: {name: steps, milestones: [2, 4]}\n"
    recipe = parse_recipe(text)
    rates = [learning_rate(recipe.descent, recipe.course, step, 5) for step in range(0, 50, 5)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01])
    anew = parse_recipe(text + "phases: [{epochs: 3}, {epochs: 3}, {restart: true}]")
    rates = [learning_rate(anew.descent, anew.course, step, 5) for step in range(0, 50, 5)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 1, 1, 0.1, 0.1])
    assert [anew.course.starts_anew(epoch) for epoch in range(1, 11)] == [epoch == 7 for epoch in range(1, 11)]
    cosine = parse_recipe(anew.to_yaml(), ["schedule=cosine"])
    rates = [learning_rate(cosine.descent, cosine.course, step, 5) for step in range(50)]
    assert rates[30] == 1.0 and rates[29] < 0.01 and rates[49] < 0.02


def test_parts_and_rates_of_no_parameter_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown part of the network in rates 'generater': did you mean 'generator'"):
        objective_of(TINY_DMC, "rates={generater: 0.1}")
    with pytest.raises(ConfigError, match=r"in phases.train 'clasifier': did you mean 'classifier'"):
        objective_of(TINY_DMC, "phases=[{epochs: 1, train: [clasifier]}, {}]")


def test_a_loss_of_a_companion_the_network_has_not_is_an_error() -> None:
    attp = "{model: attp, data: x, network: {fusion: i}, input: {height: 32, width: 32}, teacher: x}"
    with pytest.raises(ConfigError, match="Attp has no 'teacher'"):
        objective_of(attp, "losses={cross_entropy: 1, alignment: 1}")
    with pytest.raises(ConfigError, match="Attp has no 'discriminator'"):
        objective_of(attp.replace(", teacher: x", ""), f"losses={DMC_LOSSES}")


def test_the_teacher_starts_from_its_pupils_weights_and_is_no_part_of_the_network() -> None:
    recipe = (
        "{model: attp, data: x, network: {dim: 8, backbone: {width: 0.1, depth: 0.1}}, input: {height: 32, width: 32}}"
    )
    objective = objective_of(recipe, "phases=[{epochs: 1, losses: {teacher: 1}}, {}]", ATTP_ALIGNED[0])
    network, teacher = objective._network, objective.companions["teacher"]
    mine, own = weights(teacher.backbone), weights(network.stage("motion").backbone)  # type: ignore[arg-type]
    assert all(torch.equal(mine[name], own[name]) for name in own)
    plain = build_network("attp", network.options.model_dump(), network.spec, 3)
    assert network.state_dict().keys() == plain.state_dict().keys()
    before = weights(network)
    objective.begin(objective._course.phase(1))
    outcome = objective.step(drawn_batch(objective), 0.01)
    assert moved(network, before) == []
    assert outcome.scores.shape == (2, 3)
    taught = weights(teacher)
    objective.begin(objective._course.phase(2))
    outcome = objective.step(drawn_batch(objective), 0.01)
    assert moved(teacher, taught) == []  # batch norm's statistics neither
    assert set(outcome.terms) == {"cross_entropy", "alignment"}


def test_alignment_brings_the_pupil_nearer_to_its_teacher() -> None:
    recipe = "{model: attp, data: x, network: {dim: 8, fusion: mv, backbone: {width: 0.1, depth: 0.1}}, teacher: x}"
    objective = objective_of(recipe, "input={height: 32, width: 32}", "losses={alignment: 1}")
    objective.begin(objective._course.phase(1))
    batch = drawn_batch(objective)
    distances = [objective.step(batch, 0.01).terms["alignment"] for _ in range(20)]
    assert distances[-1] < 0.7 * distances[0]


@pytest.fixture
def aligned(small: Callable[..., Recipe]) -> Callable[..., Recipe]:
    pytest.importorskip("cv2", reason="needs the flow extra")

    def make(*overrides: str) -> Recipe:
        phases = "phases=[{epochs: 1, losses: {teacher: 1}}, {epochs: 1, losses: {cross_entropy: 1}}, {restart: true}]"
        return small(*ATTP_ALIGNED, phases, *overrides)

    return make


def test_a_run_of_phases_and_companions_resumes_bit_for_bit(aligned: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = aligned(f"flow.cache={tmp_path / 'flow'}", "augment.shift=1", "optimizer=sgd", "clip_gradient=5")
    straight = start_run(recipe, tmp_path / "straight", Listener())
    straight.fit()
    halted = start_run(recipe, tmp_path / "halted", Listener())
    folder = halted.folder
    for epoch in (1, 2, 3):  # within each phase, and at its border
        halted.fit(until=epoch)
        torch.manual_seed(999)
        halted = resume_run(folder, [], Listener())
    halted.fit()
    assert_same_runs(straight.folder, folder)
    records = read_records(folder)
    names = [{"teacher"}, {"cross_entropy"}, {"cross_entropy", "alignment"}, {"cross_entropy", "alignment"}]
    assert [set(record.terms) for record in records] == names
    assert records[3].train_loss == pytest.approx(sum(records[3].terms.values()), rel=1e-5)
    last, best = load_checkpoint(folder / "last.pt"), load_checkpoint(folder / "best.pt")
    assert not any("teacher" in name or "student" in name for name in [*last.state, *best.state])
    assert best.training is None
    assert [record.validation_top1 is None for record in records] == [True, False, False, False]
    assert set((last.training or {})["companions"]) == {"teacher", "student"}


def test_a_teacher_is_taken_from_another_run(aligned: Callable[..., Recipe], tmp_path: Path) -> None:
    cache = f"flow.cache={tmp_path / 'flow'}"
    first = start_run(aligned(cache, "phases=[]", "losses={teacher: 1}", "epochs=1"), tmp_path, Listener())
    first.fit()
    assert first.best is None and not (first.folder / "best.pt").exists()  # the network learnt nothing
    told = f"teacher={first.folder / 'last.pt'}"
    pupil = start_run(aligned(cache, "phases=[]", "epochs=1", told), tmp_path, Listener())
    taught = first._objective.companions["teacher"].state_dict()
    taken = pupil._objective.companions["teacher"].state_dict()
    assert all(torch.equal(taught[name], taken[name]) for name in taught)
    pupil.fit()
    with pytest.raises(ConfigError, match="no teacher in it"):
        start_run(aligned(cache, "phases=[]", f"teacher={pupil.folder / 'best.pt'}"), tmp_path, Listener())


def test_an_epoch_of_the_teacher_alone_neither_validates_nor_is_best(
    aligned: Callable[..., Recipe], tmp_path: Path
) -> None:
    class Heard(Listener):
        def __init__(self) -> None:
            self.lines: List[str] = []

        def begin(self, what: str, total: int) -> None:
            self.lines.append(what)

        def epoch(self, record: EpochRecord, epochs: int, best: bool) -> None:
            self.lines.append(f"best {best}")

    heard = Heard()
    phases = "phases=[{losses: {cross_entropy: 1}, epochs: 1}, {losses: {teacher: 1}}]"
    training = start_run(aligned(f"flow.cache={tmp_path / 'flow'}", phases, "epochs=2"), tmp_path, heard)
    training.fit(until=1)
    first = (training.folder / "best.pt").read_bytes()
    training.fit()
    assert heard.lines[2:] == ["epoch 1/2", "validation", "best True", "epoch 2/2", "best False"]
    assert training.best is not None and training.best.epoch == 1
    assert (training.folder / "best.pt").read_bytes() == first
    assert [record.validation_loss is None for record in read_records(training.folder)] == [False, True]
