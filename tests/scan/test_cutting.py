"""A file cut up comes, bit for bit, to what it comes to whole; what cannot be cut says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest

pytest.importorskip("pyarrow")

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.scan.values import PieceSeen, Unsound
from edgecvar.sinks.clips.mp4 import _added
from tests.moving_clip import moving_clip
from tests.scan.here import HerePool
from tests.scan.scanned import listing, rows, scanned
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle, tiny_state_bundle


@pytest.fixture(autouse=True)
def small_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecvar.scan.cutting.SMALLEST", 1)


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("long")
    made = {}

    def clip(name: str, **options: str) -> Path:
        if name not in made:
            made[name] = moving_clip(folder / name, 600, restless=True, g="25", **options)
        return made[name]

    return clip


def whole_and_cut(bundle: Path, clip: Path, folder: Path, **settings):
    whole, cut, pool = folder / "whole.parquet", folder / "cut.parquet", HerePool()
    scanned(bundle, [clip], whole, split=0, **settings)
    scanned(bundle, [clip], cut, pool, split=6, **settings)
    return whole, cut, pool


BUNDLES = {
    "neighbours": tiny_bundle,
    "accumulated": lambda folder: tiny_bundle(folder, accumulate=True),
    "windows across IDR": lambda folder: tiny_bundle(folder, gop_length=20, stride=7),
    "clips": lambda folder: tiny_clip_bundle(folder, 4),
}


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("bf", ["0", "2"])
def test_pieces_come_to_what_the_whole_does(name: str, bf: str, long_clips, tmp_path: Path) -> None:
    clip = long_clips(f"plain{bf}.mp4", bf=bf)
    whole, cut, pool = whole_and_cut(BUNDLES[name](tmp_path), clip, tmp_path)
    assert [job.piece.number for job in pool.jobs if job.piece] == [0, 1, 2, 3]
    assert all(job.piece.stretch.entry.number > 0 for job in pool.jobs if job.piece and job.piece.number > 1)
    assert len(rows(whole)) > 70
    assert rows(cut) == rows(whole)
    assert [{**row, "pieces": 1} for row in listing(cut)] == listing(whole)
    assert [row["pieces"] for row in listing(cut)] == [4]


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv"])
def test_other_containers_lead_to_their_pieces(name: str, long_clips, tmp_path: Path) -> None:
    whole, cut, _ = whole_and_cut(tiny_bundle(tmp_path), long_clips(name, bf="2"), tmp_path)
    assert rows(cut) == rows(whole)
    assert listing(cut)[0]["pieces"] == 4


def test_hevc_is_cut_as_h264_is(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", 400, restless=True, codec="hevc", g="25", bf="2")
    whole, cut, _ = whole_and_cut(tiny_bundle(tmp_path), clip, tmp_path)
    assert rows(cut) == rows(whole)
    assert listing(cut)[0]["pieces"] > 1


def test_a_network_that_forgets_is_cut_and_its_state_is_compared(tmp_path: Path) -> None:
    clip = repeated(default_clip(), tmp_path / "long.mp4", 10)
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    pool = HerePool()
    scanned(default_bundle(), [clip], whole, split=0)
    scanned(default_bundle(), [clip], cut, pool, split=56)
    (second,) = [job.piece for job in pool.jobs if job.piece and job.piece.number]
    assert second.excerpt.sampled_from > 0 and second.stretch.entry.number > 0
    assert rows(cut) == rows(whole)
    assert any(row["kind"] == "event" for row in rows(cut))
    assert listing(cut)[0]["pieces"] == 2


def test_a_network_that_does_not_forget_is_run_whole_and_the_third_file_not_cut(
    long_clips, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("edgecvar.scan.cutting.FORGOTTEN", 20)
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        shutil.copyfile(long_clips("plain0.mp4", bf="0"), folder / f"{number}.mp4")
    bundle, pool = tiny_state_bundle(tmp_path), HerePool()
    summary = scanned(bundle, [folder], tmp_path / "cut.parquet", pool, split=6)
    scanned(bundle, [folder], tmp_path / "whole.parquet", split=0)
    assert rows(tmp_path / "cut.parquet") == rows(tmp_path / "whole.parquet")
    assert [row["pieces"] for row in listing(tmp_path / "cut.parquet")] == [1, 1, 1]
    assert summary is not None and len(summary.unsplit) == 3
    assert {job.source.name[-5] for job in pool.jobs if job.piece} == {"0", "1"}


def test_pieces_that_differ_where_they_meet_are_not_put_together(long_clips, tmp_path: Path) -> None:
    def spoil(job, result):
        if isinstance(result, PieceSeen) and job.piece.number == 2:
            return PieceSeen(result.rows, result.counts, entered="of another state", left=result.left)
        return result

    bundle, clip = tiny_bundle(tmp_path), long_clips("plain2.mp4", bf="2")
    scanned(bundle, [clip], tmp_path / "whole.parquet", split=0)
    scanned(bundle, [clip], tmp_path / "cut.parquet", HerePool(spoil), split=6)
    assert rows(tmp_path / "cut.parquet") == rows(tmp_path / "whole.parquet")
    assert "do not come to the same" in listing(tmp_path / "cut.parquet")[0]["unsplit"]


def test_an_unsound_piece_lets_the_whole_be_run(long_clips, tmp_path: Path) -> None:
    pool = HerePool(lambda job, result: Unsound("damaged") if job.piece and job.piece.number == 1 else result)
    bundle, clip = tiny_bundle(tmp_path), long_clips("plain2.mp4", bf="2")
    scanned(bundle, [clip], tmp_path / "whole.parquet", split=0)
    scanned(bundle, [clip], tmp_path / "cut.parquet", pool, split=6)
    assert rows(tmp_path / "cut.parquet") == rows(tmp_path / "whole.parquet")
    assert listing(tmp_path / "cut.parquet")[0]["unsplit"] == "damaged"


@pytest.mark.parametrize(
    ("spec", "settings", "why"),
    [
        ({"pictures": "p"}, {}, "kinds"),
        ({}, {"extraction": "ffmpeg"}, "FFmpeg"),
    ],
)
def test_what_cannot_be_cut_says_why(spec, settings, why: str, long_clips, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path, **spec)
    whole, cut, _ = whole_and_cut(bundle, long_clips("plain2.mp4", bf="2"), tmp_path, **settings)
    assert rows(cut) == rows(whole)
    assert why in listing(cut)[0]["unsplit"]


def test_a_file_without_idr_pictures_is_run_whole(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", 400, restless=True, g="25", bf="2", **{"x264-params": "open-gop=1"})
    whole, cut, _ = whole_and_cut(tiny_bundle(tmp_path), clip, tmp_path)
    assert rows(cut) == rows(whole)
    assert "IDR" in listing(cut)[0]["unsplit"]


@pytest.mark.real_media
def test_real_video_is_cut_exactly(media: Path, tmp_path: Path) -> None:
    clip = media / "clips" / "intel_one_by_one_person.mp4"
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    scanned(default_bundle(), [clip], whole, split=0)
    scanned(default_bundle(), [clip], cut, split=60)
    assert rows(cut) == rows(whole)
    assert listing(cut)[0]["pieces"] == 2


def repeated(clip: Path, target: Path, times: int) -> Path:
    """The packets of a clip again and again."""
    with av.open(str(clip)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copied = _added(out, stream)
        packets = [packet for packet in container.demux(stream) if packet.size]
        data = [(each.pts, each.dts, each.is_keyframe, bytes(each)) for each in packets]
        base, step = stream.time_base, round(1 / (stream.average_rate * stream.time_base))
        for shift in range(times):
            for pts, dts, keyframe, coded in data:
                packet = av.Packet(coded)
                packet.pts, packet.dts = (each + shift * step * len(data) for each in (pts, dts))
                packet.time_base, packet.stream, packet.is_keyframe = base, copied, keyframe
                out.mux(packet)
    return target


def test_a_long_file_that_does_not_tell_its_length_says_so(long_clips, tmp_path: Path) -> None:
    clip, output, bundle = long_clips("bare.h264"), tmp_path / "seen.parquet", tiny_bundle(tmp_path)
    for split, why in ((6, "its container does not tell beforehand how long it lasts"), (60, None), (0, None)):
        scanned(bundle, [clip], output, split=split, overwrite=True)
        assert [(row["unsplit"], row["failure"]) for row in listing(output)] == [(why, None)]
