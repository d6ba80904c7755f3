"""The face for Python: a model that runs, and is left at any point."""

from __future__ import annotations

import gc
import os
import threading

import pytest

import edgecvar
from edgecvar.errors import BundleError, ConfigError, EdgecvarError, StreamError
from edgecvar.run import model as model_module
from edgecvar.runners.onnx import OnnxRunner
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=60)


@pytest.fixture
def left(monkeypatch):
    """The runners that were entered, and whether they have been left."""
    entered = []

    def make(bundle, choice, make=model_module.make_runner):
        runner = make(bundle, choice)
        leave, record = runner.__exit__, {"left": False}
        entered.append(record)
        monkeypatch.setattr(type(runner), "__exit__", lambda self, *exc: (record.update(left=True), leave(*exc))[1])
        return runner

    monkeypatch.setattr(model_module, "make_runner", make)
    return entered


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "edgecvar-reader"]


def open_files(path):
    links = (os.path.join("/proc/self/fd", entry) for entry in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.exists(link) and os.path.realpath(link) == str(path)]


def test_a_model_says_what_it_is_and_gives_decisions(bundle, clip):
    model = edgecvar.load(bundle)
    assert model.labels == ["left", "right", "still"] and model.input.width == 32 and model.summary is None
    decisions = list(model.run(clip))
    assert decisions[-1].label == "right" and model.summary.complete and model.summary.pictures == 60
    assert len(list(model.run(clip, every=30))) < len(decisions)
    assert len(next(iter(model.run(str(clip), top=1))).top) == 1
    with clip.open("rb") as file:
        assert [each.label for each in model.run(file)] == [each.label for each in decisions]


def test_leaving_the_loop_closes_the_source_and_the_thread(bundle, clip):
    model = edgecvar.load(bundle)
    for decision in model.run(clip):
        assert readers() and open_files(clip) and decision.label
        break
    assert not readers() and not open_files(clip)
    assert not model.summary.complete and model.summary.decisions >= 1


def test_an_exception_in_the_loop_closes_too(bundle, clip):
    model = edgecvar.load(bundle)
    with pytest.raises(RuntimeError):
        for _ in model.run(clip):
            raise RuntimeError
    assert not readers() and not open_files(clip)


def test_a_run_that_is_never_begun_or_closed_by_hand_lets_go(bundle, clip):
    model = edgecvar.load(bundle)
    run = model.run(clip)
    assert run.info.width > 0 and open_files(clip)
    run.close()
    run.close()
    assert not open_files(clip)
    with pytest.raises(EdgecvarError, match="once"):
        iter(run)
    with model.run(clip) as again:
        next(iter(again))
    assert not readers() and not open_files(clip)


def test_a_run_that_is_forgotten_closes_its_source(bundle, clip):
    model = edgecvar.load(bundle)
    model.run(clip)
    assert not open_files(clip) and model.summary.pictures == 0
    assert next(model.run(clip)).label
    gc.collect()
    assert not open_files(clip) and not readers() and model.summary.decisions == 1


def test_next_takes_one_decision_and_a_loop_the_others(bundle, clip):
    model = edgecvar.load(bundle)
    whole = [decision.display_index for decision in model.run(clip)]
    run = model.run(clip)
    taken = [next(run).display_index, next(run).display_index, *(decision.display_index for decision in run)]
    assert taken == whole
    for take in (next, iter):
        with pytest.raises(EdgecvarError, match="once"):
            take(run)


def test_a_source_that_stalls_ends_the_run_with_its_summary(bundle, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    stream = moving_clip(tmp_path / "clip.ts", pictures=60).read_bytes()
    model = edgecvar.load(bundle)
    writer = os.open(path, os.O_RDWR)
    thread = threading.Thread(target=os.write, args=(writer, stream[: len(stream) // 2]))
    thread.start()
    with pytest.raises(StreamError, match="nothing came for 1 s"):
        list(model.run(path, every=1, timeout=1))
    thread.join()
    os.close(writer)
    assert model.summary.decisions > 5 and "nothing came" in model.summary.ended


def test_a_run_that_waits_is_closed_from_another_thread(bundle, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    stream = moving_clip(tmp_path / "clip.ts", pictures=60).read_bytes()
    thread = threading.Thread(target=os.write, args=(writer, stream))
    thread.start()
    run = edgecvar.load(bundle).run(path, timeout=60)
    thread.join()
    threading.Timer(0.1, run.close).start()
    with pytest.raises(EdgecvarError, match="closed"):
        list(run)
    os.close(writer)
    assert not readers()


def test_a_model_is_closed_from_another_thread_while_a_stage_is_under_way(bundle, clip, monkeypatch):
    """What it has loaded is freed when the stage is done, not under it, and no stage begins after that."""
    under_way, go = threading.Event(), threading.Event()
    did, errors = [], []
    launch, leave = OnnxRunner.launch, OnnxRunner.__exit__

    def slow(self, stage, inputs):
        did.append("began")
        if len(did) == 3:
            under_way.set()
            assert go.wait(60)
        output = launch(self, stage, inputs)
        did.append("ended")
        return output

    def take():
        with pytest.raises(EdgecvarError) as caught:
            list(model.run(clip))
        errors.append(str(caught.value))

    monkeypatch.setattr(OnnxRunner, "launch", slow)
    monkeypatch.setattr(OnnxRunner, "__exit__", lambda self, *exc: (did.append("left"), leave(self, *exc))[1])
    model = edgecvar.load(bundle)
    runs, closes = threading.Thread(target=take, daemon=True), threading.Thread(target=model.close, daemon=True)
    runs.start()
    assert under_way.wait(60)
    closes.start()
    closes.join(timeout=0.3)
    assert closes.is_alive() and did == ["began", "ended", "began"]
    go.set()
    for thread in (closes, runs):
        thread.join(timeout=60)
    assert did == ["began", "ended", "began", "ended", "left"]
    assert len(errors) == 1 and "this run was closed" in errors[0]
    assert not readers() and not open_files(clip)
    monkeypatch.undo()
    assert list(model.run(clip))  # loaded again


def test_a_run_is_taken_once(bundle, clip):
    run = edgecvar.load(bundle).run(clip)
    assert list(run)
    with pytest.raises(EdgecvarError, match="once"):
        iter(run)


def test_another_run_ends_the_one_before_it_and_it_says_so(bundle, clip):
    model = edgecvar.load(bundle)
    first = iter(model.run(clip))
    next(first)
    assert list(model.run(clip))
    with pytest.raises(EdgecvarError, match="ended by another"):
        next(first)
    assert not readers()


def test_one_model_in_two_threads_gives_whole_results_or_an_error(bundle, clip):
    model = edgecvar.load(bundle)
    outcomes = []

    def take():
        try:
            outcomes.append(len(list(model.run(clip, every=1))))
        except EdgecvarError as error:
            outcomes.append(str(error))

    whole = len(list(model.run(clip, every=1)))
    for _ in range(5):
        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert len(outcomes) == 15 and whole in outcomes
    assert all(each == whole or "another one" in str(each) for each in outcomes), outcomes
    assert not readers()


@pytest.mark.parametrize("options", [{"every": 0}, {"every": 1.5}, {"every": 301}, {"every": "4"}, {"top": 0}])
def test_an_option_out_of_range_is_an_error(bundle, clip, options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))}="):
        edgecvar.load(bundle).run(clip, **options)
    assert not open_files(clip)


def test_the_runner_is_loaded_at_the_first_run_kept_and_left_with_the_model(bundle, clip, left):
    with edgecvar.load(bundle) as model:
        assert left == [{"left": False}]
        list(model.run(clip))
        assert left == [{"left": False}]
    assert left == [{"left": True}]
    assert list(model.run(clip))  # loaded again
    del model
    gc.collect()


def test_a_model_that_nobody_holds_lives_as_long_as_its_run(bundle, clip, left):
    decisions = [decision.label for decision in edgecvar.load(bundle).run(clip)]
    gc.collect()
    assert decisions[-1] == "right" and left == [{"left": True}]


def test_what_cannot_be_loaded_or_opened_is_an_error_at_once(bundle, clip, tmp_path):
    with pytest.raises(BundleError, match="not a bundle"):
        edgecvar.load(tmp_path)
    with pytest.raises(ConfigError, match="runner"):
        edgecvar.load(bundle, runner="onxx")
    with pytest.raises(BundleError, match="no int8 stages"):
        edgecvar.load(bundle, precision="int8")
    with pytest.raises(StreamError, match="no such file"):
        edgecvar.load(bundle).run(tmp_path / "nothing.mp4")


def test_what_a_picture_cannot_give_is_told_with_the_name_of_its_source(bundle, clip, monkeypatch):
    def fail(self):
        raise StreamError("residuals of qpel need 8-bit 4:2:0")

    monkeypatch.setattr(model_module.Recognition, "__iter__", lambda self: (fail(self) for _ in range(1)))
    with edgecvar.load(bundle) as model, pytest.raises(StreamError) as raised:
        list(model.run(clip))
    assert str(raised.value) == f"{clip}: residuals of qpel need 8-bit 4:2:0"


def test_objects_have_a_short_repr(bundle, clip):
    model = edgecvar.load(bundle)
    run = model.run(clip)
    decision = next(iter(run))
    with edgecvar.open_stream(clip) as stream:
        pictures = [picture for picture, _ in zip(stream, range(3))]
        values = [
            stream,
            stream.summary,
            stream.info,
            *pictures,
            pictures[1].motion,
            pictures[1].residual,
            pictures[1].weights,
        ]
    for value in (model, model.bundle, run, decision, run.summary, *values):
        text = repr(value)
        assert text.startswith("<") and "\n" not in text and len(text) < 250, text
    assert pictures[1].motion != pictures[2].motion  # values with arrays are compared as objects
    assert "right" in repr(decision) or "left" in repr(decision)


def test_pictures_show_themselves_in_a_notebook(clip):
    with edgecvar.open_stream(clip) as stream:
        for picture, _ in zip(stream, range(2)):
            assert picture._repr_png_().startswith(b"\x89PNG\r\n")
