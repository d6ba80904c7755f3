"""The search on a network of which one layer is known to be ruined by int8, and what it reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Set, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from edgecvar.compile.int8 import search  # noqa: E402
from edgecvar.compile.int8.deviation import Deviation, measure_deviation  # noqa: E402
from edgecvar.compile.int8.sample_walk import SampleWalk, computing, open_session  # noqa: E402
from edgecvar.compile.int8.search import METHODS, Aim, Trial, make_int8  # noqa: E402
from edgecvar.compile.onnx.full_layers import full_layers  # noqa: E402
from edgecvar.compile.onnx.graph import constants, element_types  # noqa: E402
from edgecvar.compile.onnx.magnitudes import largest_magnitudes  # noqa: E402
from edgecvar.errors import CompileError  # noqa: E402
from tests.compile.chains import CLASSES, chain, samples  # noqa: E402

pytestmark = pytest.mark.train

RUIN = 3000.0
"""A range so wide that 127 levels leave none for the other channels."""


def names(kept: List[Any]) -> List[Tuple[str, str]]:
    return [(each.stage, each.layer) for each in kept]


def test_the_walk_over_all_samples_is_the_network(tmp_path: Path) -> None:
    specs, files, reference = chain(tmp_path)
    data = samples(21)
    walk = SampleWalk(specs, data)
    outputs: Any = {}
    for spec in specs:
        outputs[spec.name] = walk.run(spec.name, outputs, computing(open_session(files[spec.name], spec.name, 1)))
    assert len(outputs["look"]) == 12 and outputs["judge"].shape == (21, CLASSES)
    expected = [reference(sample)[1] for sample in data]
    assert np.allclose(walk.scores(outputs), expected, atol=1e-4)


def test_nothing_is_kept_where_int8_is_enough(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    made = make_int8(specs, files, samples(40, 1), samples(60, 2), Aim(10.0))
    assert made.kept == [] and made.drop <= 10 and made.searched == 60
    assert [method for method, _ in made.losses] == list(METHODS)
    assert min(loss for _, loss in made.losses) == dict(made.losses)[made.method] > 0
    assert {node.op_type for node in made.models["judge"].graph.node} == {
        "Add",
        "QuantizeLinear",
        "DequantizeLinear",
        "Gemm",
    }


def test_the_one_ruined_layer_is_kept_and_no_other(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path, ruin=RUIN)
    calibration, data = samples(40, 1), samples(60, 2)
    without = make_int8(specs, files, calibration, data, Aim(None))
    assert without.kept == [] and without.drop > 10
    made = make_int8(specs, files, calibration, data, Aim(5.0))
    assert names(made.kept) == [("look", "second")]
    ranges = search.ranges_by(made.method, search.calibrate(specs, files, calibration, None))
    loss = Trial(specs, files, data, None).measure(ranges, frozenset(names(made.kept))).loss
    assert made.drop <= 5 and loss < dict(without.losses)[without.method] / 10
    (kept,) = made.kept
    assert kept.gain == 48 and kept.loss > 10 * loss
    types = {tensor.name: tensor.data_type for tensor in made.models["look"].graph.initializer}
    second = next(node for node in made.models["look"].graph.node if node.name == "second")
    assert types[second.input[1]] == onnx.TensorProto.FLOAT16


def test_the_same_data_give_the_same_stages(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path, ruin=RUIN)
    first, again = (make_int8(specs, files, samples(40, 1), samples(60, 2), Aim(5.0)) for _ in range(2))
    assert first.kept == again.kept and first.losses == again.losses
    for stage, model in first.models.items():
        assert model.SerializeToString() == again.models[stage].SerializeToString()


def test_no_layer_of_the_kept_can_be_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drops made up: only with two certain layers in fp16 is it 0, and the sensitivities put others before them."""
    specs, files, _ = chain(tmp_path)
    needed = {("judge", "classify"), ("look", "first")}

    def drop(self: Trial, ranges: Any, keep: Any) -> Deviation:
        alone = self.layers - keep
        return Deviation(1.0 if alone == {("look", "second")} else 0.5, 0.0 if needed <= keep else 50.0)

    monkeypatch.setattr(Trial, "measure", drop)
    made = make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(1.0))
    assert set(names(made.kept)) == needed
    assert names(made.kept) == [("judge", "classify"), ("look", "first")]  # equal losses: by name


def test_where_even_fp16_fails_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, files, _ = chain(tmp_path)
    monkeypatch.setattr(Trial, "measure", lambda self, ranges, keep: Deviation(1.0, 40.0))
    with pytest.raises(CompileError, match=r"every layer in fp16 40.00 % of 4 decisions .* allows 1 %"):
        make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(1.0))


def test_a_kept_layer_that_gives_more_than_fp16_holds_stays_fp32(tmp_path: Path) -> None:
    """Computed as a device would: ONNX Runtime computes fp16 convolutions in fp32, and hides it."""
    specs, files, _ = chain(tmp_path, ruin=1e5)
    image = samples(1, 2)[0].current.prepared[None]
    largest = largest_magnitudes(files["look"], "look", [{"picture": image}])
    look = onnx.load(str(files["look"]))
    assert largest["wide"] > 65504 > max(np.abs(values).max() for values in constants(look.graph).values())
    beyond = full_layers(look, element_types(look), largest)
    found: List[Any] = []
    for outputs in (frozenset(), beyond):
        trial = Trial(specs, files, samples(8, 2), 1, {"look": outputs})
        ranges = search.ranges_by("percentile", search.calibrate(specs, files, samples(8, 1), 1))
        made = trial.models(ranges, trial.layers)["look"]
        with np.errstate(over="ignore", invalid="ignore"):
            found.append(ReferenceEvaluator(made).run(None, {"picture": image})[0])
    expected = ReferenceEvaluator(look).run(None, {"picture": image})[0]
    assert not np.isfinite(found[0]).all()
    assert np.abs(found[1] - expected).max() < 1e-2 * np.abs(expected).max()


def test_a_stage_is_run_again_only_when_it_or_a_source_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, files, _ = chain(tmp_path)
    found = search.calibrate(specs, files, samples(8, 1), 1)
    trial = Trial(specs, files, samples(8, 2), 1)
    ranges = search.ranges_by("minmax", found)
    opened: List[str] = []
    real: Callable[..., Any] = search.open_session

    def counted(model: Any, stage: str, threads: Any) -> Any:
        opened.append(stage)
        return real(model, stage, threads)

    monkeypatch.setattr(search, "open_session", counted)
    first = trial.measure(ranges, trial.layers)
    trial.measure(ranges, trial.layers - {("judge", "classify")})
    assert opened == ["look", "judge", "judge"]
    trial.measure(ranges, trial.layers - {("look", "first")})
    assert opened[3:] == ["look", "judge"]
    assert trial.measure(ranges, trial.layers) == first and len(opened) == 5


def test_progress_never_goes_back_and_ends_at_its_end(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path, ruin=RUIN)
    seen: List[Tuple[int, int, str]] = []
    make_int8(specs, files, samples(40, 1), samples(60, 2), Aim(5.0), lambda *step: seen.append(step))
    done, totals = [each[0] for each in seen], [each[1] for each in seen]
    assert done == sorted(done) and totals == sorted(totals) and all(a <= b for a, b in zip(done, totals))
    assert seen[0] == (0, 5, "calibrate") and done[-1] == totals[-1]
    assert sum("sensitivity of" in what for _, _, what in seen) == 3


def test_no_search_samples_are_refused(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    with pytest.raises(CompileError, match="no samples to compare"):
        make_int8(specs, files, samples(4), [], Aim(1.0))


def test_outcome_by_hand() -> None:
    expected = np.log(np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8]], np.float32))
    got = np.log(np.array([[0.7, 0.3], [0.1, 0.9], [0.2, 0.8]], np.float32)) + 3
    outcome = measure_deviation(expected, got)
    assert outcome.drop == pytest.approx(100 / 3)
    assert outcome.loss == pytest.approx((0.9 * np.log(9) - 0.1 * np.log(9)) / 3, rel=1e-5)
    got[2] = np.nan
    broken = measure_deviation(expected, got)
    assert broken.drop == pytest.approx(200 / 3) and np.isfinite(broken.loss) and broken.loss > outcome.loss


def test_a_near_tie_of_fp32_is_no_change_where_its_two_labels_change_places() -> None:
    expected = np.log(np.array([[0.45, 0.448, 0.102], [0.98, 0.01, 0.01]], np.float32))
    swapped, third = expected.copy(), expected.copy()
    swapped[0, :2] = swapped[0, 1::-1]
    assert measure_deviation(expected, swapped).drop < 50
    third[0, 2] += 3
    assert measure_deviation(expected, third).drop >= 50


def test_an_error_counts_wherever_it_might_have_met_a_small_margin() -> None:
    """One sample is nearly tied and one has a large error; only dealt otherwise would a decision change."""
    expected = np.zeros((4, 2), np.float32)
    expected[:, 0] = (1.0, 5.0, 5.0, 5.0)
    got = expected.copy()
    got[1, 0] = 3.0
    assert measure_deviation(expected, got).drop == pytest.approx(100 / 16)


def test_a_drop_that_is_allowed_to_the_last_sample_is_kept() -> None:
    expected = np.tile(np.array([[2.0, 0.0]], np.float32), (200, 1))
    got = expected.copy()
    got[7] = [0.0, 2.0]
    assert measure_deviation(expected, got).drop == 0.5


def test_ranges_of_another_method_are_never_taken_for_those_remembered(tmp_path: Path) -> None:
    """By their values: a dictionary that is gone may leave its identity to the next."""
    specs, files, _ = chain(tmp_path)
    found = search.calibrate(specs, files, samples(8, 1), 1)
    trial = Trial(specs, files, samples(8, 2), 1)
    ranges = search.ranges_by("minmax", found)
    good = trial.measure(ranges, frozenset())
    for tensors in ranges.values():
        tensors.update({tensor: value / 100 for tensor, value in tensors.items()})
    assert trial.measure(ranges, frozenset()).loss > good.loss


class MadeUpClock:
    """A clock without borders: what each layer takes in int8, and in fp16."""

    device = "made-up"

    def __init__(self, times: Dict[Tuple[str, str], Tuple[float, float]]) -> None:
        self.times = times

    def ms(self, stage: str, kept: FrozenSet[str]) -> float:
        return sum(pair[layer in kept] for (of, layer), pair in self.times.items() if of == stage)


CLASSIFY, FIRST, SECOND = ("judge", "classify"), ("look", "first"), ("look", "second")


def drops(monkeypatch: pytest.MonkeyPatch, enough: List[Set[Tuple[str, str]]], losses: Dict[Any, float]) -> None:
    """Made up: only with one of those sets in fp16 is the drop 0, and of one layer in int8 the loss is its own."""

    def measure(self: Trial, ranges: Any, keep: Any) -> Deviation:
        loss = sum(losses[layer] for layer in self.layers - keep)
        return Deviation(loss, 0.0 if any(each <= keep for each in enough) else 50.0)

    monkeypatch.setattr(Trial, "measure", measure)


def test_what_int8_does_not_speed_up_stays_fp16_though_the_drop_allows_it(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    clock = MadeUpClock({CLASSIFY: (1.0, 2.0), FIRST: (3.0, 2.5), SECOND: (1.0, 1.0)})
    made = make_int8(specs, files, samples(40, 1), samples(60, 2), Aim(10.0, clock))
    assert made.kept == [] and made.timed is not None
    assert (made.timed.device, made.timed.ms) == ("made-up", 4.5)
    assert (made.timed.int8_ms, made.timed.fp16_ms) == (5.0, 5.5)
    assert [(each.stage, each.layer, each.ms) for each in made.timed.unpaid] == [(*FIRST, 0.5), (*SECOND, 0.0)]
    operators = {stage: {node.op_type for node in model.graph.node} for stage, model in made.models.items()}
    assert "Cast" in operators["look"] and "QuantizeLinear" not in operators["look"]
    assert "QuantizeLinear" in operators["judge"]


def test_the_fastest_that_keeps_the_drop_is_found_and_not_the_smallest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either `first` alone, which wins most in int8, or both others must stay; `first` is the most sensitive."""
    specs, files, _ = chain(tmp_path)
    drops(monkeypatch, [{FIRST}, {CLASSIFY, SECOND}], {FIRST: 0.9, CLASSIFY: 0.5, SECOND: 0.4})
    smallest = make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(1.0))
    assert names(smallest.kept) == [FIRST] and smallest.timed is None
    clock = MadeUpClock({CLASSIFY: (1.0, 1.5), FIRST: (1.0, 9.0), SECOND: (1.0, 1.25)})
    made = make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(1.0, clock))
    assert names(made.kept) == [CLASSIFY, SECOND]
    assert made.timed is not None and (made.timed.ms, made.timed.unpaid) == (3.75, [])


def test_of_those_that_can_be_missed_what_wins_most_goes_back_to_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`second` must stay, and one of the others: by loss for time `first` comes before, and it wins more in int8."""
    specs, files, _ = chain(tmp_path)
    drops(monkeypatch, [{SECOND, CLASSIFY}, {SECOND, FIRST}], {FIRST: 0.9, CLASSIFY: 0.1, SECOND: 0.01})
    clock = MadeUpClock({CLASSIFY: (1.0, 1.5), FIRST: (1.0, 4.0), SECOND: (1.0, 2.0)})
    made = make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(1.0, clock))
    assert set(names(made.kept)) == {SECOND, CLASSIFY}


def test_whatever_it_costs_time_alone_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, files, _ = chain(tmp_path)
    drops(monkeypatch, [], {FIRST: 0.9, CLASSIFY: 0.1, SECOND: 0.01})
    clock = MadeUpClock({CLASSIFY: (2.0, 1.0), FIRST: (1.0, 4.0), SECOND: (1.0, 2.0)})
    made = make_int8(specs, files, samples(4, 1), samples(4, 2), Aim(None, clock))
    assert made.kept == [] and made.drop == 50.0 and made.timed is not None
    assert [each.layer for each in made.timed.unpaid] == ["classify"]
