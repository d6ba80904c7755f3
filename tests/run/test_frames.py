"""Decoded frames on their way through a run: prepared once a sampled picture, never made up, never for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import prepared_sources, takes_frames
from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.samples import read_samples
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import BundleError, StreamError
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.stream.reader import open_stream
from tests.clips.planes import grey
from tests.moving_clip import moving_clip
from tests.run.scripted import SIDE, SPEC, RecordingRunner, ScriptedStream, manifest, stage

STEM = stage("stem", "picture", ("image_of_picture", "frame", "current"))
LAST = stage("fuse", "picture", ("stems", "stem", "current", 3), output=[3])


class Decoded:
    """A picture of grey level `index`, or none."""

    def __init__(self, index: int, lost: bool) -> None:
        self._index, self._lost = index, lost

    def planes(self):
        if self._lost:
            raise StreamError("it cannot be decoded")
        return grey(np.full((SIDE, SIDE), self._index, np.uint8))

    def rgb(self):
        return self.planes().rgb()


class FramedStream(ScriptedStream):
    """A scripted stream that was opened with frames; those in `lost` cannot be decoded."""

    lost = frozenset()

    def __iter__(self):
        for picture in super().__iter__():
            index = picture.decode_index
            yield replace(picture, decoded=Decoded(index, index in self.lost))


def run(stream, **options):
    runner = RecordingRunner()
    recognition = recognize(stream, manifest([STEM, LAST]), runner, RunOptions(**options))
    return runner, list(recognition), recognition.summary


def test_each_sampled_picture_is_seen_once_and_the_newest_together():
    runner, decisions, summary = run(FramedStream("IPBBPIPP"))
    assert [seen["image_of_picture"] for seen in runner.of("stem")] == [1, 2, 3, 4, 6, 7]
    assert [seen["stems"] for seen in runner.of("fuse")] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 2, 3),
        (2, 3, 4),
        (3, 4, 6),
        (4, 6, 7),
    ]
    assert len(decisions) == summary.sampled == 6 and summary.skipped == 0


def test_a_picture_that_cannot_be_decoded_is_counted_and_not_made_up():
    stream = FramedStream("IPPPP")
    stream.lost = {0, 2}
    runner, _, summary = run(stream)
    assert [seen["image_of_picture"] for seen in runner.of("stem")] == [1, 3, 4]
    assert summary.reasons == {"picture that cannot be decoded": 1} and summary.sampled == 3


def test_a_stream_opened_without_frames_says_how_to_open_it():
    with pytest.raises(StreamError, match=r"open_stream\(source, frames=True\)"):
        run(ScriptedStream("IPP"))


def test_frames_belong_to_sampled_pictures():
    assert prepared_sources([STEM, LAST]) == {"frame"} == plan_stages([STEM, LAST]).sources
    assert takes_frames([STEM, LAST]) and not takes_frames(manifest().stages)
    with pytest.raises(BundleError, match="which only sampled pictures have"):
        plan_stages([stage("stem", "gop", ("x", "frame", "current"))])
    with pytest.raises(BundleError, match="which only sampled pictures have"):
        plan_stages([stage("stem", "picture", ("x", "frame", "adjacent"))])
    # A stage of that name hides the prepared input.
    assert not takes_frames(
        [stage("frame", "gop", ("x", "image", "current")), stage("y", "gop", ("x", "frame", "current"))]
    )


def test_decoding_is_reading_and_preparing_is_preparing(tmp_path, monkeypatch):
    """What a profiler is told: the decoder works inside "read", the conversion to an input inside "prepare"."""
    spans, inside = [], []

    class Spans(NoClock):
        def span(self, name, picture=None):
            spans.append(name)
            return self._Span(name)

        class _Span:
            def __init__(self, name):
                self.name = name

            def __enter__(self):
                inside.append(self.name)

            def __exit__(self, *exc):
                inside.pop()

    import edgecvar.stream.frames as frames

    where = {"decode": set(), "rgb": set()}
    decode, planes = frames.FrameDecoder._decode, frames.DecodedPicture.planes
    monkeypatch.setattr(
        frames.FrameDecoder,
        "_decode",
        lambda self, packet: (where["decode"].add(tuple(inside)), decode(self, packet))[1],
    )
    monkeypatch.setattr(
        frames.DecodedPicture, "planes", lambda self: (where["rgb"].add(tuple(inside)), planes(self))[1]
    )
    clip = moving_clip(tmp_path / "clip.mp4", 30)
    with open_stream(clip, frames=True) as stream:
        where["decode"].clear()  # of the first picture, when the stream was opened
        feed = Feed(stream, SPEC, Demand(frozenset({"frame"}), False, 4), Spans())
        assert sum(message is not None for message in feed.messages()) > 5
    assert where == {"decode": {("read",)}, "rgb": {("prepare",)}}


def test_samples_have_frames_when_asked(tmp_path):
    spec = InputSpec(height=32, width=48, crop=1.0, stride=4)
    clip = moving_clip(tmp_path / "clip.mp4", 30, restless=True)
    bare, framed = read_samples([clip], spec, 6), read_samples([clip], spec, 6, frames=True)
    assert [sorted(sample.inputs) for sample in bare] == [["intra", "motion", "residual"]] * 6
    with open_stream(clip, frames=True) as stream:
        preparer = Preparer(stream.info, spec)
        shown = {picture.decode_index: preparer.image(picture.decoded.planes()) for picture in stream}
    for sample, one in zip(framed, bare):
        assert sample.decode_index == one.decode_index
        assert np.array_equal(sample.inputs["frame"], shown[sample.decode_index])
        assert np.array_equal(sample.inputs["motion"], one.inputs["motion"])
