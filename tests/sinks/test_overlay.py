"""The drawn video: as many pictures as the source, the right label on each, whole whatever happens."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.sinks.drawing import cell_blocks, draw_field, draw_label, draw_text, thin_field
from edgecvar.sinks.font import text_mask
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
    """For each picture, the part of the width that the green bar covers."""
    widths = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            row = frame.to_ndarray(format="rgb24")[-3].astype(int)
            green = (row[:, 1] > 120) & (row[:, 0] < 140) & (row[:, 2] < 160)
            widths.append(float(green.mean()))
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


def test_fields_are_drawn_on_their_picture_and_let_go_of(tmp_path):
    source = moving_clip(tmp_path / "clip.mp4", pictures=40)
    targets = tmp_path / "with.mp4", tmp_path / "without.mp4"
    for target, moving in zip(targets, (True, False)):
        with open_stream(source) as stream, Overlay(str(source), target, stream.info) as overlay:
            for picture in stream:
                velocity = np.zeros((16, 24, 2), np.float32)
                velocity[..., 0] = 6.0
                overlay.picture(picture, velocity if moving and picture.display_index == 20 else None)
            overlay.finish(DONE)
            assert overlay._fields == {}
    with av.open(str(targets[0])) as one, av.open(str(targets[1])) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0))
        change = [
            np.abs(a.to_ndarray(format="rgb24").astype(int) - b.to_ndarray(format="rgb24")).mean() for a, b in pairs
        ]
    assert int(np.argmax(change)) == 20
    assert change[20] > 5 * np.median(change[:20])


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
    assert np.abs(drawn[:60] - plain[:60]).mean() < 8


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
    assert [width > 0.9 for width in widths] == [index % 20 >= 5 for index in range(60)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
    assert {(frame.height, frame.width) for frame in frames} == {(64, 96)}
    assert np.allclose(np.diff([frame.time for frame in frames]), 0.04, atol=1e-3)
    assert overlay._fields == {}
    # 4:3 in 3:2: bars left and right, and the picture between them.
    image = frames[30].to_ndarray(format="rgb24").astype(int)
    assert image[:50, :4].max() < 30 and image[:50, -4:].max() < 30 and image[:50, 10:-10].mean() > 60


@pytest.mark.parametrize(
    "source, target, message",
    [
        ("-", "out.mp4", "twice"),
        ("clip.mp4", "out.gif", "suffix"),
        ("clip.mp4", "missing/out.mp4", "folder"),
        ("clip.mp4", "clip.mp4", "source itself"),
    ],
)
def test_what_cannot_be_written_is_refused_first(tmp_path, monkeypatch, source, target, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(ConfigError, match=message):
        check_overlay(source, tmp_path / target)


def test_arrows_lie_along_the_motion_and_still_blocks_have_none():
    velocity = np.zeros((16, 24, 2), np.float32)
    velocity[4:8, 8:12] = (4.0, 0.0)  # one cell, moving right
    picture = np.zeros((64, 96, 3), np.uint8)
    draw_field(picture, thin_field(velocity, cell_blocks(INFO)), INFO)
    rows, columns = np.nonzero(picture.any(axis=2))
    assert columns.min() == 40 and columns.max() == 48  # from the cell's centre, twice the speed
    assert abs(rows.mean() - 24) <= 1
    assert (picture[24, 40:48] == picture[24, 41]).all()


def test_arrows_follow_the_cropped_corner_and_may_leave_the_picture():
    velocity = np.full((16, 24, 2), -30.0, np.float32)
    picture = np.zeros((56, 88, 3), np.uint8)
    draw_field(picture, thin_field(velocity, 4), replace(INFO, width=88, height=56, crop_left=8, crop_top=8))
    assert picture[0, 0].any()


@pytest.mark.parametrize("size", [(16, 16), (64, 96), (1080, 1920)])
def test_labels_fit_into_any_picture(size):
    picture = np.full((*size, 3), 120, np.uint8)
    draw_label(picture, "a label of some length", 0.5, "untrained")
    assert (picture == 255).any()
    green = (picture == (64, 220, 90)).all(axis=2)
    assert green.any(axis=0).mean() == pytest.approx(0.5, abs=0.05)


def test_text_is_scaled_and_cut_at_the_edges():
    assert text_mask("L", 1).tolist()[0] == [True, False, False, False, False, False]
    assert text_mask("L", 1).tolist()[6] == [True] * 5 + [False]
    assert text_mask("ab", 3).shape == (21, 36)
    assert text_mask("é").any() and text_mask("").shape == (7, 0)
    picture = np.zeros((8, 8, 3), np.uint8)
    draw_text(picture, "LLL", (3, 2), 1)
    assert picture[3:, 2].all() and not picture[:3].any()
