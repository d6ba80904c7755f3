"""What a stage with segments is handed: the newest samples, in display order."""

from __future__ import annotations

from tests.run.scripted import APPEARANCE, MOTION, RecordingRunner, ScriptedStream, histories, run, stage


def test_a_clip_is_the_newest_samples_and_the_first_stands_in_for_those_missing():
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), output=[3])
    decisions, runner, _ = run("IPPPPIP", [classify])
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 6)]
    assert [decision.decode_index for decision in decisions] == [1, 2, 3, 4, 6]


def test_a_clip_is_in_display_order():
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), output=[3])
    stream = ScriptedStream("IPBBPBB", shown=[0, 3, 1, 2, 6, 4, 5])
    decisions, runner, _ = run("", [classify], stream=stream)
    assert histories(runner, "motion") == [(1, 1, 1), (2, 2, 1), (2, 3, 1), (2, 3, 4), (3, 5, 4), (5, 6, 4)]
    assert [decision.display_index for decision in decisions] == [1, 2, 3, 4, 5, 6]


def test_a_clip_of_a_stages_outputs_is_handed_over_as_launched_and_each_is_run_once():
    classify = stage("classify", "picture", ("motion", "motion", "current", 2), output=[3])
    _, runner, _ = run("IPPP", [MOTION, classify])
    assert histories(runner, "motion") == [(1, 1), (1, 2), (2, 3)]
    assert [seen["motion"] for seen in runner.of("motion")] == [1, 2, 3]
    assert runner.fetched == ["classify"] * 3


def test_images_of_a_clip_are_those_of_each_samples_own_window():
    classify = stage(
        "classify", "picture", ("image", "image", "current", 3), ("motion", "motion", "current"), output=[3]
    )
    _, runner, _ = run("IPPP" + "IP", [classify])
    assert histories(runner, "image") == [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 4)]
    of_stage = stage("classify", "picture", ("features", "appearance", "current", 2), output=[3])
    _, runner, _ = run("IP" + "IPP" + "IP", [APPEARANCE, of_stage])
    assert histories(runner, "features") == [(0, 0), (0, 2), (2, 2), (2, 5)]
    assert len(runner.of("appearance")) == 3


def test_a_clip_that_waits_for_its_first_neighbour_is_made_of_the_same_samples():
    """The first window's samples have all been started before the first of them is finished."""
    classify = stage(
        "classify",
        "picture",
        ("motion", "motion", "current", 3),
        ("residual", "residual", "current", 2),
        ("image_adjacent", "image", "adjacent", 3),
        output=[3],
    )
    _, runner, _ = run("IPPP" + "IP" + "IP", [MOTION, classify])
    names = [name for name, _ in runner.calls]
    assert names[:4] == ["motion"] * 3 + ["classify"]
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 5), (3, 5, 7)]
    assert histories(runner, "residual") == [(1, 1), (1, 2), (2, 3), (3, 5), (5, 7)]
    assert histories(runner, "image_adjacent") == [(4, 4, 4), (4, 4, 4), (4, 4, 4), (4, 4, 0), (4, 0, 4)]


def test_stages_that_name_their_inputs_alike_have_histories_of_their_own():
    clip = stage("clip", "picture", ("motion", "motion", "current", 2), output=[1])
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), ("clip", "clip", "current"), output=[3])
    _, runner, _ = run("IPPPP", [clip, classify])
    assert [seen["motion"] for seen in runner.of("clip")] == [(1, 1), (1, 2), (2, 3), (3, 4)]
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_a_clip_of_clips_reaches_back_twice():
    clip = stage("clip", "picture", ("motion", "motion", "current", 2), output=[1])
    classify = stage("classify", "picture", ("clip", "clip", "current", 2), output=[3])
    _, runner, _ = run("IPPP", [clip, classify])
    assert [seen["motion"] for seen in runner.of("clip")] == [(1, 1), (1, 2), (2, 3)]
    assert histories(runner, "clip") == [(1, 1), (1, 2), (2, 3)]


def test_each_stream_has_a_history_of_its_own():
    classify = stage("classify", "picture", ("motion", "motion", "current", 2), output=[3])
    runner = RecordingRunner()
    for _ in range(2):
        run("IPP", [classify], runner)
    assert histories(runner, "motion") == [(1, 1), (1, 2)] * 2
