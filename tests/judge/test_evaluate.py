"""Counting right and wrong: the mean of a clip's scores, every unreadable clip by name, any number of processes."""

from __future__ import annotations

import io
import shutil

import av
import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.cli.report.evaluation import evaluation_document, print_evaluation
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.errors import BundleError, ConfigError, DatasetError
from edgecvar.judge import evaluate
from edgecvar.judge.evaluate import EvalConfig, find_clips, score_clip, score_clips, tally
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import make_runner
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip
from tests.tiny_bundle import LABELS, tiny_bundle


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips to each side, one mislabelled, one that is no video and one of a single I-picture."""
    root = tmp_path_factory.mktemp("clips")
    for label in LABELS:
        (root / label).mkdir()
    moving_clip(root / "left" / "a_01.mp4", shift=-2)
    moving_clip(root / "left" / "b_02.mp4", shift=-3, bf="2")
    moving_clip(root / "right" / "a_01.mp4", shift=2)
    shutil.copy(root / "left" / "a_01.mp4", root / "right" / "b_02.mp4")
    moving_clip(root / "still" / "a_01.mp4", pictures=1)
    (root / "still" / "b_02.mp4").write_text("not a video")
    (root / "left" / ".hidden").write_text("not a clip")
    (root / "left" / "notes.txt").write_text("not a clip")
    return root


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(tiny_bundle(tmp_path_factory.mktemp("bundle")))


def config(bundle, folder, **options):
    return EvalConfig(bundle=bundle.path, folder=folder, **options)


def test_right_wrong_undecided_and_unreadable_clips_are_counted(bundle, clips):
    found = find_clips(clips, LABELS)
    evaluation = tally(LABELS, list(score_clips(bundle, found, config(bundle, clips, jobs=1))))
    assert evaluation.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert [clip.path.name for clip in evaluation.undecided] == ["a_01.mp4"]
    (unreadable,) = evaluation.unreadable
    assert str(clips / "still" / "b_02.mp4") in unreadable.error
    assert evaluation.clips == 5 and evaluation.top1 == pytest.approx(3 / 5)
    assert evaluation.of_label("right") == (2, 1) and evaluation.of_label("still") == (1, 0)


def test_tensorrts_device_takes_one_process(bundle, clips, monkeypatch):
    monkeypatch.setattr(evaluate, "resolve", lambda bundle, choice: ("trt", "fp16"))
    with pytest.raises(ConfigError, match="--jobs 2: TensorRT's device takes one process"):
        list(score_clips(bundle, find_clips(clips, LABELS), config(bundle, clips, jobs=2)))


def test_a_clip_is_left_where_nobody_wants_its_score(bundle, clips):
    asked = []
    with make_runner(bundle, config(bundle, clips)) as runner:
        clip = next(clip for clip in find_clips(clips, LABELS) if clip.label == "right")
        score_clip(clip, bundle.manifest, runner, 1, lambda: asked.append(1) or len(asked) == 3)
    assert len(asked) == 3


def test_the_number_of_processes_changes_nothing(bundle, clips):
    found = find_clips(clips, LABELS)
    one, two = (list(score_clips(bundle, found, config(bundle, clips, jobs=jobs))) for jobs in (1, 2))
    assert [each.clip for each in one] == [each.clip for each in two] == found
    for first, second in zip(one, two):
        assert first.error == second.error
        assert (first.scores is None) == (second.scores is None)
        assert first.scores is None or (first.scores == second.scores).all()


def test_a_clips_scores_are_the_mean_of_its_sampled_pictures(bundle, clips):
    path = clips / "left" / "b_02.mp4"
    with OnnxRunner(bundle, threads=1) as runner, open_stream(path) as stream:
        scores = [each.scores for each in recognize(stream, bundle.manifest, runner, RunOptions(every=3))]
    (result,) = score_clips(bundle, [Clip(path, "left")], config(bundle, clips, every=3))
    assert len(scores) == 10
    assert result.scores == pytest.approx(np.mean(scores, axis=0), rel=1e-6)


def later(path, seconds):
    """The same clip in a transport stream whose times begin then."""
    target = path.with_suffix(".ts")
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        add = getattr(container, "add_stream_from_template", lambda like: container.add_stream(template=like))
        stream = add(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None:
                packet.pts += int(seconds / packet.time_base)
                packet.dts += int(seconds / packet.time_base)
                packet.stream = stream
                container.mux(packet)
    return target


def test_a_clips_answers_over_time_are_those_of_the_mean_so_far(bundle, tmp_path):
    """It turns round after 1 s; its container's times begin at 2 s, and seconds are those since its first picture."""
    path = later(moving_clip(tmp_path / "turning.mp4", 60, shift=lambda index: 2 * min(index, 50 - index)), seconds=2)
    with OnnxRunner(bundle, threads=1) as runner, open_stream(path) as stream:
        decisions = list(recognize(stream, bundle.manifest, runner, RunOptions(every=5)))
    assert decisions[0].pts_seconds == pytest.approx(2 + 1 / 25)
    (result,) = score_clips(bundle, [Clip(path, "left")], config(bundle, tmp_path, every=5))
    assert result.answers is not None
    means = [np.mean([each.scores for each in decisions[: count + 1]], axis=0) for count in range(len(decisions))]
    assert result.answers.classes.tolist() == [int(np.argmax(mean)) for mean in means]
    steps = [each.pts_seconds - decisions[0].pts_seconds for each in decisions]
    assert result.answers.seconds - result.answers.seconds[0] == pytest.approx(steps)
    assert result.answers.seconds[0] == pytest.approx(1 / 25)  # the first P-picture


def test_only_matching_names_are_taken(clips):
    assert [clip.path.name for clip in find_clips(clips, LABELS, "^a_")] == ["a_01.mp4"] * 3
    with pytest.raises(DatasetError, match="matches 'zzz'"):
        find_clips(clips, LABELS, "zzz")
    with pytest.raises(ConfigError, match="not a regular expression"):
        find_clips(clips, LABELS, "(")


def test_a_folder_that_is_no_label_names_the_nearest(tmp_path):
    (tmp_path / "rigth").mkdir()
    with pytest.raises(DatasetError, match=r"rigth.*did you mean 'right'"):
        find_clips(tmp_path, LABELS)


def test_a_strange_folder_beside_the_classes_is_said_and_left_out(clips, tmp_path):
    root = tmp_path / "clips"
    shutil.copytree(clips, root)
    shutil.copytree(root / "left", root / "notes")
    (root / "rigth").mkdir()
    told = []
    assert [clip.path.relative_to(root) for clip in find_clips(root, LABELS, tell=told.append)] == [
        clip.path.relative_to(clips) for clip in find_clips(clips, LABELS, tell=pytest.fail)
    ]
    notes, wrong = told
    assert "notes: unknown label" in notes and notes.endswith("(left out: 2 clips)")
    assert "did you mean 'right'? (left out: 0 clips)" in wrong


def test_scores_that_are_no_numbers_end_it_with_the_clip_that_they_are_of(bundle, clips, monkeypatch):
    monkeypatch.setattr(OnnxRunner, "fetch", lambda self, value: value * np.nan)
    found = find_clips(clips, LABELS, "^b_")
    with pytest.raises(BundleError, match=r"left/b_02\.mp4: stage \w+: NaN or infinity for picture \d+ "):
        list(score_clips(bundle, found, config(bundle, clips, jobs=1)))


def test_missing_and_empty_folders_are_errors(tmp_path):
    with pytest.raises(DatasetError, match="not a folder"):
        find_clips(tmp_path / "nowhere", LABELS)
    (tmp_path / "left").mkdir()
    with pytest.raises(DatasetError, match="no clip in any class folder"):
        find_clips(tmp_path, LABELS)


def test_no_readable_clip_gives_no_figure(bundle, tmp_path):
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "a.mp4").write_text("not a video")
    results = list(score_clips(bundle, find_clips(tmp_path, LABELS), config(bundle, tmp_path)))
    document = evaluation_document(tally(LABELS, results))
    assert document["top1"] is None and document["chance"] is None
    assert document["clips"] == 0 and len(document["unreadable"]) == 1


def scored(label: str, scores) -> ClipScore:
    return ClipScore(Clip(label, label), np.array(scores, float))


def test_the_first_of_equal_scores_is_taken():
    evaluation = tally(["a", "b"], [scored("b", [1, 1])])
    assert evaluation.confusion.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("classes", [3, 30])
def test_tables_show_every_class_and_the_confusions(classes):
    from edgecvar.console import Console

    labels = [f"class_{number:02}" for number in range(classes)]
    results = [scored(label, np.eye(classes)[number]) for number, label in enumerate(labels)]
    results += [scored("class_01", np.eye(classes)[2])] * 7
    out = io.StringIO()
    print_evaluation(tally(labels, results), Console(file=out, width=200))
    text = out.getvalue()
    assert all(label in text for label in labels)
    assert f"top-1 {classes / (classes + 7):.1%} of {classes + 7} clips (chance {8 / (classes + 7):.1%})" in text
    row = next(line for line in text.splitlines() if "class_01" in line)
    assert "12.5%" in row
    assert (
        ("7" in row.replace(" ", "").split("│")[-3:][-2])
        if classes == 3
        else "7 of class_01 taken for class_02" in text
    )
