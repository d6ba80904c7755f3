"""The drawn video: as many pictures as the source, the right label on each, whole whatever happens."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.sinks.overlay import Overlay, check_overlay
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import StreamInfo
from tests.moving_clip import moving_clip
from tests.stream.known_clips import encode, translation
from tests.stream.transport import shifted

INFO = StreamInfo("h264", 96, 64, Fraction(25), Fraction(1, 25), False, "ffmpeg", 96, 64)
DONE = RunSummary(30, 3, 3, 0, {}, 1.0, 1.2)


def decision(index: int, label: str, probability: float) -> Decision:
    return Decision(index / 25, index, index, label, probability, ((label, probability),), 1.0, np.zeros(1, np.float32))


def bar_widths(path):
    """For each picture, the part of the panel's width that the green bar covers."""
    widths = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            row = frame.to_ndarray(format="rgb24")[-7, 5:-5].astype(int)
            widths.append(float((row[:, 1] - row[:, 0] > 30).mean()))
    return widths


def test_every_picture_is_there_with_the_label_that_holds_for_it(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=40, bf="2")
    target = tmp_path / "out.mp4"
    with Overlay(str(source), target, INFO) as overlay:
        overlay.decision(decision(10, "a", 0.5))
        overlay.decision(decision(25, "b", 1.0))
        overlay.finish(DONE)
    widths = bar_widths(target)
    assert len(widths) == 40
    assert max(widths[:10]) < 0.1
    assert all(abs(width - 0.5) < 0.1 for width in widths[10:25])
    assert min(widths[25:]) > 0.9
    with av.open(str(target)) as written, av.open(str(source)) as given:
        assert written.streams.video[0].codec_context.name == "h264"
        times = [[float(frame.time) for frame in container.decode(video=0)] for container in (written, given)]
    assert times[0] == pytest.approx([time - times[1][0] for time in times[1]], abs=1e-3)


def test_fields_are_drawn_on_their_picture_last_over_those_without_and_are_let_go_of(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=40)
    targets = tmp_path / "with.mp4", tmp_path / "without.mp4"
    for target, moving in zip(targets, (True, False)):
        with open_stream(source) as stream, Overlay(str(source), target, stream.info) as overlay:
            for picture in stream:
                velocity = np.zeros((16, 24, 2), np.float32)
                velocity[..., 0] = 6.0 * (picture.display_index < 30)
                overlay.picture(picture, velocity if moving and picture.display_index in (20, *range(30, 38)) else None)
            overlay.finish(DONE)
            assert overlay._fields == {}
    with av.open(str(targets[0])) as one, av.open(str(targets[1])) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0))
        change = [
            np.abs(a.to_ndarray(format="rgb24").astype(int) - b.to_ndarray(format="rgb24")).mean() for a, b in pairs
        ]
    assert min(change[20:30]) > 5 * max(change[:20]) and min(change[20:30]) > 2 * max(change[38:])


def test_pictures_are_drawn_as_decisions_come(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=120)
    with Overlay(str(source), tmp_path / "out.mp4", INFO) as overlay:
        for index in range(0, 120, 2):
            overlay.decision(decision(index, "a", 0.5))
            assert overlay._drawn == index
        overlay.finish(DONE)
    assert len(bar_widths(tmp_path / "out.mp4")) == 120


def test_the_file_is_whole_after_an_interruption(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=60)
    target = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt), Overlay(str(source), target, INFO) as overlay:
        overlay.decision(decision(40, "a", 0.5))
        raise KeyboardInterrupt
    assert len(bar_widths(target)) == 40  # up to the decision
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_an_interrupted_run_is_drawn_as_far_as_it_was_read(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=60)
    with open_stream(source) as stream, Overlay(str(source), tmp_path / "out.mp4", stream.info) as overlay:
        for picture in stream:
            overlay.picture(picture, None)
            if picture.display_index == 29:
                break
        overlay.finish(replace(DONE, ended="interrupted"))
    assert len(bar_widths(tmp_path / "out.mp4")) == 30


@pytest.mark.parametrize(("error", "decided"), [(KeyboardInterrupt, 0), (EdgecvarError, 0), (EdgecvarError, 40)])
def test_what_is_not_whole_leaves_no_file_and_keeps_an_old_one(tmp_path, error, decided):
    source = moving_clip(tmp_path / "clip.mp4", pictures=60)
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(error), Overlay(str(source), target, INFO) as overlay:
        overlay.decision(decision(decided, "a", 0.5))
        raise error
    assert target.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_a_rotated_source_is_drawn_upright(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=5)
    with Overlay(str(source), tmp_path / "out.mp4", replace(INFO, rotation=90)) as overlay:
        overlay.finish(DONE)
    with av.open(str(tmp_path / "out.mp4")) as container, av.open(str(source)) as given:
        drawn = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        plain = np.rot90(next(given.decode(video=0)).to_ndarray(format="rgb24").astype(int))
    assert drawn.shape == plain.shape == (96, 64, 3)
    assert np.abs(drawn[22:] - plain[22:]).mean() < 8


def test_over_breaks_every_picture_has_its_time_its_size_and_its_own_label(tmp_path):
    """Two sizes and a jump by hours: scaled to the first size, and no label holds beyond a break."""
    small = moving_clip(tmp_path / "small.ts", pictures=20).read_bytes()
    large = encode(tmp_path / "large.ts", translation(20, (180, 240), (1, 0))).read_bytes()
    source = tmp_path / "clip.ts"
    source.write_bytes(small + shifted(large, 72_000) + shifted(small, 2**31))
    with open_stream(source) as stream, Overlay(str(source), tmp_path / "out.mp4", stream.info) as overlay:
        for picture in stream:
            grid = (46, 60) if 20 <= picture.decode_index < 40 else (16, 24)
            overlay.picture(picture, np.ones((*grid, 2), np.float32))
        assert stream.summary.breaks == {"picture size changed": 2}
        for index in (5, 25, 45):
            overlay.decision(decision(index, "a", 1.0))
        overlay.finish(DONE)
    widths = bar_widths(tmp_path / "out.mp4")
    # The rate that is written beside it changes from run to run, and with it how soon x264 makes the bar sharp.
    assert [width > 0.5 for width in widths] == [index % 20 >= 5 for index in range(60)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
    assert {(frame.height, frame.width) for frame in frames} == {(64, 96)}
    assert np.allclose(np.diff([frame.time for frame in frames]), 0.04, atol=1e-3)
    assert overlay._fields == {}
    # 4:3 in 3:2: bars left and right, and the picture between them.
    image = frames[30].to_ndarray(format="rgb24").astype(int)
    image = image[22:40]  # between what is written
    assert image[:, :4].max() < 30 and image[:, -4:].max() < 30 and image[:, 10:-10].mean() > 60


@pytest.mark.parametrize(
    "source, target, message",
    [
        ("-", "out.mp4", "twice"),
        ("clip.mp4", "out.gif", "suffix"),
        ("clip.mp4", "missing/out.mp4", "folder"),
        ("clip.mp4", "clip.mp4", "source itself"),
        ("file:clip.mp4", "clip.mp4", "source itself"),
    ],
)
def test_what_cannot_be_written_is_refused_first(tmp_path, monkeypatch, source, target, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(ConfigError, match=message):
        check_overlay(source, tmp_path / target)


def test_time_and_rate_are_those_of_the_run_and_the_rate_changes_once_a_second(monkeypatch):
    from edgecvar.sinks import overlay

    now = [100.0]
    monkeypatch.setattr(overlay.time, "monotonic", lambda: now[0])
    rate = overlay._Rate()
    assert rate.at(0.9, 30) == 0
    now[0] = 102.0
    assert rate.at(1.0, 60) == 30
    now[0] = 103.0
    assert rate.at(1.5, 300) == 30 and rate.at(2.0, 300) == 100
