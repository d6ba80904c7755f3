"""Clips of events: the source's own packets, from the I-picture before, decodable from the first picture on."""

from __future__ import annotations

import threading

import av
import pytest

from edgecvar.errors import ConfigError, StreamError
from edgecvar.run.decisions import RunSummary
from edgecvar.run.event_settings import EventSettings
from edgecvar.run.events import Event
from edgecvar.sinks.clips.event_clips import ClipSettings, EventClips
from edgecvar.stream.reader import Stream
from tests.sinks.clips.cut_streams import GOP, RATE, clip_of, decision_at, read_through, source_packets

DONE = RunSummary(100, 100, 100, 0, {}, 1.0, 4.0)


def record(path, folder, start, end, extraction="auto", events=(), **settings):
    """Runs the whole of a file past the clips of one event; the clips that there are then."""
    folder.mkdir(exist_ok=True)
    clips = EventClips(ClipSettings(clips=folder, **settings), EventSettings(), str(path))
    told = {"began": False, "ended": False}
    with Stream(path, extraction, tap=clips.tap) as stream, clips:
        for picture in stream:
            now = picture.pts_seconds
            clips.decision(decision_at(now))
            if now >= start + 0.2 and not told["began"]:
                told["began"] = True
                clips.event(Event(0, "a wave", start, None, 0.9, start))
            if end is not None and now >= end and not told["ended"]:
                told["ended"] = True
                clips.event(Event(0, "a wave", start, end, 0.9, start))
        clips.finish(DONE)
    return sorted(folder.iterdir()), clips


def decoded(path):
    """When the pictures of a file are displayed, as a player sees it, and the packets' times."""
    with av.open(str(path)) as container:
        packets = [(packet.pts, packet.dts) for packet in container.demux(video=0) if packet.size]
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)], packets


@pytest.mark.parametrize("suffix", ["mp4", "ts", "h264"])
@pytest.mark.parametrize("b_pictures", [0, 2])
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_a_clip_is_cut_of_the_sources_packets(tmp_path, suffix, b_pictures, extraction):
    source = clip_of(tmp_path / f"front door.{suffix}", b_pictures=b_pictures)
    (clip,), _ = record(source, tmp_path / "clips", 1.7, 2.3, extraction, clip_before=0.5, clip_after=0.4)
    assert clip.name == "front-door_00h00m01.700s_a-wave.mp4"
    times, packets = decoded(clip)
    mine, theirs = source_packets(clip), source_packets(source)
    first = theirs.index(mine[0])
    assert first % GOP == 0 and mine == theirs[first : first + len(mine)]
    # From the I-picture at or before 1.2 s, to 2.7 s and what is displayed before the last that this takes.
    origin = first / RATE + read_through(source)[0]
    assert origin <= 1.2 + 1e-6 < origin + GOP / RATE + 0.1
    assert 2.7 - 0.05 <= origin + times[-1] <= 2.7 + 0.13
    assert times[0] == 0 and len(times) == len(mine)
    assert times == pytest.approx([n / RATE for n in range(len(times))], abs=1e-3)
    assert all(dts <= pts for pts, dts in packets)
    assert [dts for _, dts in packets] == sorted({dts for _, dts in packets})


@pytest.mark.parametrize("suffix", ["mp4", "ts", "hevc"])
@pytest.mark.parametrize("b_pictures", [0, 2])
def test_a_clip_is_cut_of_hevc(tmp_path, suffix, b_pictures):
    """Of open GOPs: what is displayed before the I-picture of the cut is left out."""
    source = clip_of(tmp_path / f"door.{suffix}", b_pictures=b_pictures, codec="hevc")
    (clip,), _ = record(source, tmp_path / "clips", 1.7, 2.3, clip_before=0.5, clip_after=0.4)
    times, packets = decoded(clip)
    mine, theirs = (
        [[unit for unit in packet if unit[0] >> 1 not in (32, 33, 34)] for packet in source_packets(path)]
        for path in (clip, source)
    )  # without parameter sets, which a file's head has
    assert all(packet in theirs for packet in mine)
    assert times[0] == 0 and len(times) == len(mine)
    assert times == pytest.approx([n / RATE for n in range(len(times))], abs=1e-3)
    assert [dts for _, dts in packets] == sorted({dts for _, dts in packets})
    with Stream(clip) as stream, Stream(source) as whole:
        pictures = list(stream)
        images = [picture.image for picture in whole if picture.kind == "I"]
        assert stream.info.codec == "hevc" and stream.summary.damaged == 0
        assert all(picture.motion.exact for picture in pictures if picture.motion is not None)
        assert any((pictures[0].image == image).all() for image in images)
    with av.open(str(clip)) as container:  # the name by which Apple's players take it
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_every_picture_of_a_clip_is_the_sources(tmp_path):
    source = clip_of(tmp_path / "s.mp4", b_pictures=2)
    (clip,), _ = record(source, tmp_path / "clips", 1.7, 2.3)
    with av.open(str(source)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(clip)) as container:
        cut = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert all((one == other).all() for one, other in zip(cut, whole)) and len(cut) > 80  # from 0 s, as far as 4 s


def test_the_end_of_the_run_ends_a_clip(tmp_path):
    (clip,), clips = record(clip_of(tmp_path / "s.mp4"), tmp_path / "clips", 3.0, None, clip_before=0.2)
    times, _ = decoded(clip)
    assert len(times) == 30 and (clips.written, clips.failed) == (1, 0)  # from 2.8 s to the end


def test_a_longer_event_is_cut_at_the_longest(tmp_path):
    (clip,), _ = record(clip_of(tmp_path / "s.mp4"), tmp_path / "clips", 1.0, 3.5, clip_before=0, clip_longest=1)
    times, _ = decoded(clip)
    assert 0.95 <= times[-1] <= 1.01


def test_what_memory_does_not_hold_is_cut_there(tmp_path):
    source = clip_of(tmp_path / "s.mp4", restless=True, pictures=200, qp="4")
    assert source.stat().st_size > 2 << 16
    (clip,), clips = record(source, tmp_path / "clips", 1.0, 7.5, clip_before=0, clip_memory=1 << 16)
    times, _ = decoded(clip)
    packets = source_packets(clip)
    assert packets[0] == source_packets(source)[20] and clips.failed == 0
    assert sum(len(unit) for packet in packets for unit in packet) < 1.2 * (1 << 16) and 0.3 < times[-1] < 5


def test_a_break_ends_a_clip_and_none_reaches_over_it(tmp_path):
    one, two = clip_of(tmp_path / "1.ts", 50), clip_of(tmp_path / "2.ts", 50, shift=-3)
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    folder = tmp_path / "clips"
    (before,), _ = record(both, folder, 1.5, 1.96, clip_before=0.1)
    assert source_packets(before)[-1] == source_packets(one)[-1]
    before.unlink()
    (after,), _ = record(both, folder, 2.3, 2.6, clip_before=1.0, clip_after=0.1)
    assert source_packets(after)[0] == source_packets(two)[0]


def test_other_codecs_are_cut_too_or_refused_before_anything_is_read(tmp_path):
    (tmp_path / "clips").mkdir()
    for codec, suffix in (("mpeg4", "avi"), ("mpeg2video", "ts"), ("flv1", "flv")):
        source = tmp_path / f"{codec}.{suffix}"
        with av.open(str(source), "w") as container:
            stream = container.add_stream(codec, rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            with av.open(str(clip_of(tmp_path / "plain.mp4"))) as plain:
                for frame in plain.decode(video=0):
                    container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())
        if codec == "flv1":
            with pytest.raises(StreamError, match="flv1 cannot be put into MP4 clips"):
                record(source, tmp_path / "clips", 1.7, 2.3)
            continue
        (clip,), _ = record(source, tmp_path / "clips", 1.7, 2.3, clip_before=0, clip_after=0.2)
        times, _ = decoded(clip)
        assert times[0] == 0 and 0.5 < times[-1] < 1.5
        clip.unlink()


def test_what_cannot_be_written_is_counted_and_the_run_goes_on(tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgecvar.sinks.clips.event_clips.write_mp4", full)
    files, clips = record(clip_of(tmp_path / "s.mp4"), tmp_path / "clips", 1.7, 2.3)
    assert files == [] and (clips.written, clips.failed) == (0, 1)
    assert "1 could not be written: No space left on device" in capsys.readouterr().err


def test_what_is_seen_live_is_called_by_the_time_of_day(tmp_path):
    clips = EventClips(ClipSettings(clips=tmp_path), EventSettings(), "rtsp://user:secret@camera/s?x=1", live=True)
    with Stream(clip_of(tmp_path / "s.mp4"), tap=clips.tap) as stream, clips:
        for picture in stream:
            clips.decision(decision_at(picture.pts_seconds))
        clips.event(Event(0, "wave", 3.0, None, 0.9, 3.0))
        clips.finish(DONE)
    (name,) = [file.name for file in tmp_path.iterdir() if file.name != "s.mp4"]
    assert name.startswith("rtsp-camera-s_20") and name.endswith("Z_wave.mp4") and "secret" not in name


@pytest.mark.parametrize("wrong", [{"clips_keep": "7"}, {"clips_size": "2 potatoes"}, {"clips_keep": "0s"}])
def test_a_bound_that_is_none_is_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match="expected a"):
        ClipSettings(clips=tmp_path, **wrong)


def test_what_nobody_foresaw_ends_neither_the_writer_nor_the_stream(tmp_path, monkeypatch):
    def broken(*words):
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr("edgecvar.sinks.clips.event_clips.write_mp4", broken)
    source = clip_of(tmp_path / "s.mp4")
    clips = EventClips(ClipSettings(clips=tmp_path, clip_after=0), EventSettings(), str(source))

    def run():
        with Stream(source, tap=clips.tap) as stream, clips:
            for number, picture in enumerate(stream):
                clips.decision(decision_at(picture.pts_seconds))
                if number in (30, 40, 50, 60, 70, 80):
                    clips.event(Event(number, "a", number / 25, None, 0.9, number / 25))
                    clips.event(Event(number, "a", number / 25, number / 25, 0.9, number / 25))
            clips.finish(DONE)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    running.join(20)
    assert not running.is_alive() and (clips.written, clips.failed) == (0, 6)
