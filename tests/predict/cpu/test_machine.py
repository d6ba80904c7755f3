"""A machine of known speed is found again between its samples, and kept whole on the disk."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgecvar.errors import ConfigError
from edgecvar.predict.cpu import micro
from edgecvar.predict.cpu.fit import Circumstances, fit_machine
from edgecvar.predict.cpu.kernels import Convolution, carrying
from edgecvar.predict.cpu.machine import from_memory
from edgecvar.predict.cpu.measure import load_machine, machine_file, measure_machine, save_machine, trials
from edgecvar.predict.cpu.micro import Measured
from edgecvar.predict.cpu.reckon import predict_stage_cpu
from edgecvar.predict.cpu.sketch import Sketch
from edgecvar.predict.cpu.trials import Link, Trial, spread

GOPS, GB_PER_S, FLOOR = 100e9, 50e9, 1e-6


def known(layer, efficiency=1.0):
    return FLOOR + max(2 * layer.multiply_adds / GOPS, layer.moved / GB_PER_S) / efficiency


def trial(routine, layer):
    return Trial(routine, layer, (1,), Link(lambda sketch, given, before: before, (1,)))


@pytest.fixture(scope="module")
def machine():
    measured = []
    for inputs, outputs, side in spread(60, (16, 1024), (16, 1024), (4, 64)):
        layer = Convolution(inputs, outputs, 9, side * side).layer()
        near = known(layer, 0.5)
        measured.append(Measured(trial("blocked dense", layer), near, 2 * near))
    for channels, side in spread(30, (4, 1024), (1, 100)):
        shape = (1, channels, side, side)
        bytes_ = 4 * channels * side * side
        measured.append(Measured(trial("relu", carrying("elementwise", shape, bytes_, bytes_)), FLOOR))
        layer = carrying("elementwise", shape, bytes_, bytes_)
        measured[-1] = replace(measured[-1], near=known(layer))
    measured.append(Measured(trial("view", carrying("movement", (), 1, 1)), FLOOR))
    measured.append(Measured(trial("view", carrying("movement", (), 1, 1)), FLOOR))
    return fit_machine(measured, Circumstances("a processor", 1, "1.0", 16 << 20, 5.0, 1.0))


def test_peaks_and_floor_are_the_best_that_was_seen(machine):
    assert machine.gops == pytest.approx(50, rel=0.05)
    assert machine.gb_per_s == pytest.approx(50, rel=0.1)
    assert machine.floor == pytest.approx(1.0)


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(64, 64, 28), (300, 80, 10), (100, 700, 16)])
def test_sizes_between_the_samples_are_found(machine, inputs, outputs, side):
    layer = Convolution(inputs, outputs, 9, side * side).layer()
    assert machine.seconds("blocked dense", layer, 0.0) == pytest.approx(known(layer, 0.5), rel=0.1)
    assert machine.seconds("blocked dense", layer, 1.0) == pytest.approx(2 * known(layer, 0.5), rel=0.15)
    assert machine.spread["blocked dense"] < 1.1


def test_only_what_the_cache_does_not_hold_comes_from_memory():
    assert from_memory(10, 10) == 0
    assert from_memory(40, 10) == 0.75
    assert from_memory(0, 10) == 0


def test_a_stage_is_the_sum_of_its_kernels_and_a_call(machine):
    sketch = Sketch()
    weights = sketch.weights((64, 64, 3, 3))
    attributes = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}
    value = sketch.node("Conv", [sketch.given((1, 64, 28, 28)), weights, sketch.weights((64,))], attributes)
    layers = predict_stage_cpu(sketch.model([(value, "float32")]), "fp32", machine)
    assert [each.kind for each in layers] == ["reorder", "blocked dense", "reorder", "movement"]
    assert layers[1].bound == "compute"
    assert layers[1].nodes == [value]
    assert layers[1].ms == pytest.approx(1e3 * known(Convolution(64, 64, 9, 784).layer(), 0.5), rel=0.1)
    assert layers[-1].ms == pytest.approx(5e-3)


def test_it_survives_the_disk(machine, tmp_path):
    save_machine(machine, tmp_path / "new" / "machine.json")
    again = load_machine(tmp_path / "new" / "machine.json")
    assert again.model_dump() == machine.model_dump()


def test_what_is_no_machine_is_one_line(machine, tmp_path):
    document = json.loads(machine.model_dump_json())
    document["routines"]["relu"] = []
    for text in ("[]", "{", json.dumps(document), json.dumps({**document, "gops": 0})):
        (tmp_path / "machine.json").write_text(text)
        with pytest.raises(ConfigError, match="not a machine saved by `edgecvar bench machine`") as caught:
            load_machine(tmp_path / "machine.json")
        assert "\n" not in str(caught.value)


def test_without_one_it_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine_file(2) == tmp_path / "edgecvar" / "machine-2.json"
    with pytest.raises(ConfigError, match="edgecvar bench machine --threads 2"):
        load_machine(threads=2)


def test_one_of_another_version_is_refused(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    save_machine(machine, machine_file(1))
    with pytest.raises(ConfigError, match=r"ONNX Runtime 1\.0"):
        load_machine()


def test_every_routine_is_measured(monkeypatch):
    """The chains run, whatever they take."""
    monkeypatch.setattr(micro, "FAR", 4096)
    monkeypatch.setattr(micro, "NEAR", 4096)
    monkeypatch.setattr(micro, "ROUNDS", 1)
    monkeypatch.setattr(micro, "RINGS", (1,))
    told = []
    machine = measure_machine("any", 1, 0.01, 1, lambda done, total, what: told.append(what))
    assert set(machine.routines) == {each.routine for each in trials(0.01)}
    assert len(machine.routines) > 25
    assert all(sample.near > 0 for samples in machine.routines.values() for sample in samples)
    assert told
