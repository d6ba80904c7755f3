"""A runner beside a reference: figures, tolerances, near-ties, and what each stage is fed with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.clips.samples import histories, read_samples
from edgecvar.errors import BundleError
from edgecvar.judge.comparison import TOLERANCES, Comparison, Decisions, compare, compare_decisions
from edgecvar.judge.parity import compare_stage, compare_whole, median_ms, record, walk_all
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(tiny_bundle(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    left = moving_clip(root / "left.mp4", shift=lambda index: 7 - 2 * index)  # they begin apart
    return [left, moving_clip(root / "right.mp4", shift=3, restless=True)]


class Skewed(OnnxRunner):
    """Adds `error` to the outputs of one stage."""

    def __init__(self, bundle, stage, error):
        super().__init__(bundle, threads=1)
        self.name = "skewed"
        self._wrong, self._error = stage, np.float32(error)

    def launch(self, stage, inputs):
        output = super().launch(stage, inputs)
        return output + self._error if stage == self._wrong else output


def test_figures_are_those_of_all_pairs():
    got = [np.array([[1.0, 2.0]], np.float32), np.array([[0.0, -4.0]], np.float32)]
    want = [np.array([[1.0, 2.5]], np.float32), np.array([[1.0, -4.0]], np.float32)]
    found = compare("here", got, want)
    assert found.max_difference == 1.0 and found.mean_difference == pytest.approx(1.5 / 4)
    assert found.scale == 4.0 and found.samples == 2
    cosines = [(1 + 5) / np.sqrt(5 * 7.25), 16 / np.sqrt(16 * 17)]
    assert found.cosine == pytest.approx(np.mean(cosines))  # the median of two
    with pytest.raises(BundleError, match=r"here gives shape \[1, 2\], the reference \[1, 3\]"):
        compare("here", got[:1], [np.zeros((1, 3), np.float32)])


def test_samples_that_int8_clips_do_not_spoil_the_others():
    want = [np.array([[1.0, index, 100.0 if index == 5 else 0.0]], np.float32) for index in range(6)]
    got = [each.clip(-10, 10) for each in want]
    found = compare("", got, want)
    assert found.max_difference == 90 and found.exceeds(TOLERANCES["int8"]) == []
    assert found.exceeds(TOLERANCES["fp16"]) != []
    assert compare("", [each[:, ::-1] for each in want], want).exceeds(TOLERANCES["int8"]) != []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_passes_every_tolerance(bad):
    good = np.ones((1, 4), np.float32)
    spoilt = good.copy()
    spoilt[0, 2] = bad
    for got, want in (([good, spoilt, good], [good] * 3), ([good] * 3, [good, spoilt, good])):
        for tolerance in TOLERANCES.values():
            assert compare("", got, want).exceeds(tolerance)


def test_a_dead_reference_is_no_agreement():
    dead = np.zeros((1, 4), np.float32)
    for tolerance in TOLERANCES.values():
        assert "nothing but zero" in compare("", [dead], [dead]).exceeds(tolerance)[0]


def test_largest_difference_is_a_part_of_the_largest_output():
    fp32, int8 = TOLERANCES["fp32"], TOLERANCES["int8"]
    assert Comparison(0.9e-3, 0, 1, 1, 10, 1).exceeds(fp32) == []
    (why,) = Comparison(1.1e-3, 0, 1, 1, 10, 1).exceeds(fp32)
    assert "allowed 0.0001" in why
    assert Comparison(9, 0, 0.96, 1, 10, 1).exceeds(int8) == []
    assert "cosine" in Comparison(9, 0, 0.94, 1, 10, 1).exceeds(int8)[0]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_scale_that_is_wrong_turns_nothing_and_is_seen_by_the_length(factor):
    want = [np.array([[1.0, index, 3.0]], np.float32) for index in range(5)]
    for tolerance in TOLERANCES.values():
        why = compare("", [each * factor for each in want], want).exceeds(tolerance)
        assert any("times as long" in each for each in why) and not any("cosine" in each for each in why)
    clipped = [each * 0.75 for each in want]
    assert compare("", clipped, want).exceeds(TOLERANCES["int8"]) == []


@pytest.mark.parametrize(
    "precision, samples, differing, ties, fits",
    [
        ("fp32", 64, 0, 0, True),
        ("fp32", 64, 1, 1, True),
        ("fp32", 64, 1, 0, False),
        ("fp32", 2, 2, 2, False),
        ("fp16", 8, 1, 0, False),
        ("fp16", 8, 1, 1, True),
        ("fp16", 64, 1, 0, True),
        ("fp16", 64, 2, 2, False),
        ("int8", 64, 3, 0, True),
        ("int8", 64, 4, 4, False),
        ("int8", 100_000, 2088, 0, True),
        ("int8", 100_000, 2089, 0, False),
    ],
)
def test_as_many_may_differ_as_chance_allows_and_one_near_tie_always(precision, samples, differing, ties, fits):
    assert (Decisions(samples, differing, ties).exceeds(TOLERANCES[precision]) == []) is fits


def test_a_tie_is_judged_by_the_probabilities_of_the_reference():
    reference = np.log(np.array([[0.5, 0.3, 0.2], [0.41, 0.40, 0.19], [0.41, 0.40, 0.19]], np.float32))
    scores = np.array([[1, 9, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    found = compare_decisions(scores, reference, tie=0.05)
    assert (found.differing, found.ties, found.agreement) == (3, 1, 0)
    assert compare_decisions(reference + 100, reference, tie=0.05).agreement == 1


def test_walks_give_what_a_run_gives_on_several_clips(bundle, clips):
    """I-pictures of both clips have the same numbers: none may be taken for the other's."""
    stages = bundle.manifest.stages
    samples = read_samples(clips, bundle.manifest.input, 1000)
    expected = []
    with OnnxRunner(bundle, threads=1) as runner:
        got = walk_all(runner, stages, samples)
        for clip in clips:
            with open_stream(clip) as stream, recognize(stream, bundle.manifest, runner, RunOptions()) as decisions:
                expected += [decision.scores for decision in decisions]
        appearances = [inputs["image"] for inputs in record(runner, stages, samples).inputs["appearance"]]
    assert np.array_equal(got, expected)
    assert len(appearances) == 6 and not np.array_equal(appearances[0], appearances[3])


def test_walks_of_clips_give_what_a_run_gives_and_a_new_clip_begins_afresh(tmp_path, clips):
    bundle = open_bundle(tiny_clip_bundle(tmp_path, 3))
    stages = bundle.manifest.stages
    samples = read_samples(clips, bundle.manifest.input, 1000)
    expected = []
    with OnnxRunner(bundle, threads=1) as runner:
        reference = record(runner, stages, samples)
        for clip in clips:
            with open_stream(clip) as stream, recognize(stream, bundle.manifest, runner, RunOptions()) as decisions:
                expected += [decision.scores for decision in decisions]
        found = {spec.name: compare_stage(spec.name, reference, runner).comparison for spec in stages}
        whole = compare_whole(runner, stages, samples, reference, tie=0.0)
    assert np.array_equal(reference.scores, expected)
    past = histories(samples, 3)
    assert len(reference.inputs["clip"]) == len(samples)
    for place, inputs in enumerate(reference.inputs["clip"]):
        assert inputs["motion"].shape == (1, 3, 2)
        assert np.array_equal(inputs["residual"][0], [samples[row].inputs["residual"] for row in past[place]])
        assert np.array_equal(inputs["motion"][0], [reference.outputs["motion"][row][0] for row in past[place]])
    assert {each.max_difference for each in found.values()} == {0.0} == {whole.comparison.max_difference}


def test_a_wrong_stage_shows_in_itself_and_at_the_end_alone(bundle, clips):
    stages = bundle.manifest.stages
    samples = read_samples(clips, bundle.manifest.input, 10)
    with OnnxRunner(bundle, threads=1) as runner:
        reference = record(runner, stages, samples)
    with Skewed(bundle, "motion", 0.5) as runner:
        found = {spec.name: compare_stage(spec.name, reference, runner).comparison for spec in stages}
        whole = compare_whole(runner, stages, samples, reference, tie=0.0)
    assert found["motion"].max_difference == pytest.approx(0.5, rel=1e-5)
    assert {name for name, each in found.items() if each.exceeds(TOLERANCES["fp32"])} == {"motion"}
    assert found["fuse"].max_difference == 0  # fed with what the reference's motion gave
    assert whole.comparison.max_difference == pytest.approx(1.5, rel=1e-5)  # the fuse stage weighs it with 3
    assert whole.decisions.differing > 0


def test_the_first_run_does_not_count_in_the_median():
    assert median_ms([100.0, 1.0, 2.0, 3.0]) == 2.0
    assert median_ms([100.0]) == 100.0


class Mixed(OnnxRunner):
    """Gives the rows of a batch in another order."""

    def launch(self, stage, inputs):
        return super().launch(stage, inputs)[::-1]


def test_a_stage_is_compared_in_batches(bundle, clips):
    samples = read_samples(clips, bundle.manifest.input, 10)
    with OnnxRunner(bundle, threads=1) as runner, Mixed(bundle, threads=1) as mixed:
        reference = record(runner, bundle.manifest.stages, samples)
        for batch in (1, 4, 64):
            same = compare_stage("motion", reference, runner, batch)
            assert same.comparison.samples == 10 and same.comparison.exceeds(TOLERANCES["fp32"]) == []
        assert compare_stage("motion", reference, mixed).comparison.exceeds(TOLERANCES["fp32"]) == []
        assert compare_stage("motion", reference, mixed, 4).comparison.exceeds(TOLERANCES["fp32"]) != []
