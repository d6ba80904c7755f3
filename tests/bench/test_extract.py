"""Ways to get vectors, side by side: what is listed, what is left out, and the arithmetic; no timing is asserted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edgecvar.bench import extract
from edgecvar.bench.extract import ExtractConfig, in_turn, measure_extract
from edgecvar.bench.extract_session import ClipTimes, ExtractSession, LeftOut, summarise_extract
from edgecvar.cli.main import main
from edgecvar.cli.report.extraction import extract_document, print_extract
from edgecvar.console import Console
from edgecvar.errors import StreamError
from edgecvar.stream import demuxed
from tests.moving_clip import moving_clip

FOUR = ["native", "native_residuals", "exported", "decode"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clip of 30 pictures, one deeper down of 12 with B-pictures, one of another codec, and what is no video."""
    root = tmp_path_factory.mktemp("clips")
    moving_clip(root / "b.mp4", pictures=30)
    for inside in ("deeper/below", ".hidden"):
        (root / inside).mkdir(parents=True)
    moving_clip(root / "deeper" / "below" / "a.mkv", pictures=12, bf="2")
    moving_clip(root / ".hidden" / "c.mp4", pictures=3)
    (root / "deeper" / "broken.avi").write_bytes(b"no video at all")
    (root / "notes.txt").write_text("nothing")
    return root


@pytest.fixture(autouse=True)
def without_mv_extractor(monkeypatch):
    monkeypatch.setattr(extract, "_mv_extractor", lambda: "not installed")


def times(path, cpu_seconds, size=(640, 480), pictures=100, given=None, codec="h264", **changes):
    return ClipTimes(
        path=path, codec=codec, width=size[0], height=size[1], profile="High", pictures=pictures, inter=pictures - 1,
        given=given or dict.fromkeys(cpu_seconds, pictures), cpu_seconds=cpu_seconds, **changes,
    )  # fmt: skip


def session(*clips, ways=("native", "exported"), **changes):
    fields = {"rounds": 3, "picture_limit": 600, "machine": {"processor": "abacus"}, "ways": list(ways)}
    return ExtractSession(clips=list(clips), **{**fields, **changes})


def report(measured):
    out = io.StringIO()
    print_extract(measured, Console(file=out, width=240))
    return out.getvalue()


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    # The machine slows down: by rounds native is 4, 2 and 4 times as fast; the medians alone would say 2.
    clip = times("a.mp4", {"native": [1.0, 4.0, 5.0], "exported": [4.0, 8.0, 20.0]})
    assert clip.ratios("native") == pytest.approx([4, 2, 4])
    assert clip.ratio("native") == pytest.approx(4)
    assert clip.ratio("exported") == 1
    assert clip.rate("native") == pytest.approx(25)
    assert clip.rate("decode") is clip.ratio("decode") is None


def test_all_on_the_same_packets_count_the_same_pictures_and_mv_extractor_its_own():
    clip = times(
        "a.mp4",
        {"native": [1.0], "exported": [2.0], "mv_extractor": [1.0]},
        given={"native": 100, "exported": 90, "mv_extractor": 50},
    )
    assert clip.rates("exported") == [50]
    assert clip.ratio("native") == pytest.approx(2)
    assert clip.ratio("mv_extractor") == pytest.approx(1)


def test_the_summary_is_over_all_files_and_over_the_large_ones():
    one = times("one.mp4", {"native": [1.0], "exported": [1.5]})
    wide = times("wide.mp4", {"native": [1.0], "exported": [3.0]}, size=(1280, 720))
    tall = times("tall.mp4", {"native": [1.0], "exported": [4.0]}, size=(1080, 1920))
    low = times("low.mp4", {"native": [1.0], "exported": [9.0]}, size=(1280, 718))
    summary = summarise_extract(session(one, wide, tall, low))["h264"]
    every, large = summary.all["native"], summary.large["native"]
    assert (every.files, every.median, every.smallest, every.smallest_path) == (4, 3.5, 1.5, "one.mp4")
    assert (large.files, large.median, large.smallest, large.smallest_path) == (2, 3.5, 3.0, "wide.mp4")
    assert summarise_extract(session(one))["h264"].large == {}


def test_hevc_is_compared_with_decoding_alone_and_summed_up_apart():
    both = {"native": [1.0], "exported": [3.0], "decode": [2.0]}
    plain = {"native": [1.0, 2.0], "decode": [6.0, 8.0]}
    one, other = times("one.mp4", both), times("other.mp4", plain, size=(1280, 720), codec="hevc")
    assert one.ratio("native") == 3 and one.ratio("decode") == 1.5
    assert other.ratios("native") == [6, 4] and other.ratio("decode") == 1 and other.ratio("exported") is None
    measured = session(one, other, ways=("native", "exported", "decode"))
    summary = summarise_extract(measured)
    assert list(summary) == ["h264", "hevc"]
    assert (summary["h264"].all["native"].files, summary["h264"].all["native"].median) == (1, 3)
    assert (summary["hevc"].large["native"].median, set(summary["hevc"].all)) == (5, {"native", "decode"})
    document = json.loads(json.dumps(extract_document(measured)))
    assert [clip["ratio_to"] for clip in document["clips"]] == ["exported", "decode"]
    assert document["summary"]["hevc"]["all"]["native"]["median"] == 5
    text = report(measured)
    for part in (
        "HEVC High", "H.264, median", "HEVC, median, 720p and larger", "smallest ratio of HEVC, native: vectors: 5.0",
        "ratios to PyAV exported vectors (H.264), PyAV decode alone (HEVC);", "HEVC: FFmpeg exports no vectors of it",
    ):  # fmt: skip
        assert part in text
    alone = report(session(other, ways=("native", "exported", "decode")))
    assert "PyAV exported" not in alone and "H.264" not in alone and "HEVC: FFmpeg exports" in alone
    assert "HEVC" not in report(session(one))


@pytest.mark.parametrize("name", ["a.mp4", "a.265"])
def test_hevc_is_measured_without_what_rests_on_exported_vectors(tmp_path, monkeypatch, name):
    monkeypatch.setattr(extract, "_mv_extractor", lambda: pytest.fail)
    moving_clip(tmp_path / name, pictures=20, codec="hevc")
    (clip,) = measure_extract(ExtractConfig(paths=(tmp_path,), rounds=2, images=True, threads=2)).clips
    assert (clip.codec, clip.profile, clip.pictures, clip.inter, clip.damaged) == ("hevc", "Main", 20, 18, 0)
    assert clip.given == dict.fromkeys(["native", "native_residuals", "native_images", "decode"], 20)
    assert {way: len(seconds) for way, seconds in clip.cpu_seconds.items()} == dict.fromkeys(clip.given, 2)
    assert set(clip.wall_seconds) == {"1", "2"}


def test_every_round_begins_with_another_way():
    assert [in_turn("abc", number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_every_way_reads_every_picture_in_every_round(folder):
    measured = measure_extract(ExtractConfig(paths=(folder,), rounds=2))
    assert measured.ways == FOUR
    assert measured.absent == {"mv_extractor": "not installed"}
    assert [(clip.path, clip.pictures) for clip in measured.clips] == [
        (str(folder / "b.mp4"), 30),
        (str(folder / "deeper" / "below" / "a.mkv"), 12),
    ]
    for clip in measured.clips:
        assert (clip.width, clip.height, clip.damaged) == (96, 64, 0)
        assert clip.inter == {30: 27, 12: 11}[clip.pictures]  # an I-picture every 12
        assert clip.profile.startswith(("High", "Main"))
        assert clip.given == dict.fromkeys(FOUR, clip.pictures)
        assert {way: len(seconds) for way, seconds in clip.cpu_seconds.items()} == dict.fromkeys(FOUR, 2)
        assert all(second > 0 for seconds in clip.cpu_seconds.values() for second in seconds)
    assert [(entry.path, entry.reason[:5]) for entry in measured.left_out] == [
        (str(folder / "deeper" / "broken.avi"), "not a")
    ]


def test_what_is_asked_of_a_picture_is_what_the_way_is_named_after(folder, monkeypatch):
    asked = {"motion": 0, "residual": 0, "image": 0, "exported": 0}

    def counted(name, original):
        def count(*arguments):
            asked[name] += 1
            return original(*arguments)

        return count

    for name in ("motion", "residual", "image"):
        original = getattr(extract.CodedPicture, name).func
        monkeypatch.setattr(extract.CodedPicture, name, property(counted(name, original)))
    monkeypatch.setattr(demuxed, "exported_vectors", counted("exported", demuxed.exported_vectors))
    measure_extract(ExtractConfig(paths=(folder / "b.mp4",), rounds=1, pictures=24, images=True))
    # Twice each: once uncounted.
    assert asked == {"motion": 3 * 24 * 2, "residual": 24 * 2, "image": 24 * 2, "exported": 24 * 2}


def test_pictures_that_the_ways_are_given_are_limited(folder):
    config = ExtractConfig(paths=(folder / "b.mp4",), rounds=1, pictures=7, images=True)
    clip = measure_extract(config).clips[0]
    assert clip.given == dict.fromkeys(["native", "native_residuals", "native_images", "exported", "decode"], 7)


def test_mv_extractor_is_measured_on_the_file_where_it_is_installed(folder, monkeypatch):
    opened = []

    class Capture:
        def open(self, path):
            opened.append(path)
            self.left = 9
            return True

        def set_decode_frames(self, wanted):
            assert wanted is False

        def read(self):
            self.left -= 1
            return self.left >= 0, None, np.zeros((0, 10)), "P"

        def release(self):
            pass

    monkeypatch.setattr(extract, "_mv_extractor", lambda: Capture)
    measured = measure_extract(ExtractConfig(paths=(folder / "b.mp4",), rounds=2))
    assert measured.ways == [*FOUR, "mv_extractor"] and measured.absent == {}
    assert measured.clips[0].given["mv_extractor"] == 9
    assert opened == [str(folder / "b.mp4")] * 3


def test_a_file_outside_coverage_is_listed_with_the_reason(folder, tmp_path):
    field = moving_clip(tmp_path / "interlaced.mp4", pictures=6, **{"x264-params": "tff=1"})
    measured = measure_extract(ExtractConfig(paths=(folder / "b.mp4", field), rounds=1))
    assert [clip.path for clip in measured.clips] == [str(folder / "b.mp4")]
    (entry,) = measured.left_out
    assert entry.path == str(field)
    assert entry.reason.startswith("outside what the native core reads: ") and len(entry.reason) > 45


def test_a_file_of_i_pictures_alone_is_left_out(folder, tmp_path):
    still = moving_clip(tmp_path / "still.mp4", pictures=4, g="1")
    measured = measure_extract(ExtractConfig(paths=(still, folder / "b.mp4"), rounds=1))
    assert [clip.path for clip in measured.clips] == [str(folder / "b.mp4")]
    assert measured.left_out == [
        LeftOut(path=str(still), reason="its 4 pictures are all I: there are no vectors to get")
    ]


def test_nothing_to_measure_is_an_error_with_the_first_reason(folder):
    broken = folder / "deeper" / "broken.avi"
    with pytest.raises(StreamError, match=r"broken\.avi: not a video .*\(and 1 more files\); there is nothing"):
        measure_extract(ExtractConfig(paths=(broken, folder / "notes.txt"), rounds=1))


def test_the_report_names_every_file_and_what_is_odd_about_it():
    odd = times("odd.264", {"native": [1.0], "exported": [2.0]}, given={"native": 100, "exported": 97}, damaged=2)
    large = times("large.mp4", {"native": [1.0], "exported": [4.0]}, size=(1920, 1080))
    shown = session(odd, large, left_out=[LeftOut(path="x.mp4", reason="interlaced")], absent={"mv_extractor": "gone"})
    text = report(shown)
    for part in (
        "abacus", "odd.264", "1920x1080", "100  2.00 x", "3.00 x", "4.00 x", "720p and larger",
        "smallest ratio of H.264, native: vectors: 2.00 x (odd.264); 720p and larger: 4.00 x (large.mp4)",
        "odd.264: of 100 pictures 2 damaged, PyAV gave 97", "left out: x.mp4: interlaced", "mv-extractor: gone",
        "--images",
    ):  # fmt: skip
        assert part in text


def test_the_document_has_every_round():
    clip = times("a.mp4", {"native": [1.0, 2.0], "exported": [4.0, 4.0]})
    document = json.loads(json.dumps(extract_document(session(clip))))
    (entry,) = document["clips"]
    assert entry["cpu_seconds"]["native"] == [1.0, 2.0]
    assert entry["ratio_of_rounds"]["native"] == [4.0, 2.0]
    assert entry["ratio"]["native"] == 3.0
    assert entry["pictures_per_cpu_second"]["exported"] == 25
    assert document["summary"]["h264"]["all"]["native"]["median"] == 3.0


def test_the_verb_prints_a_table_or_one_document(folder, capsys):
    main(["bench", "extract", str(folder), "--rounds", "1", "--pictures", "5"])
    assert "deeper/broken.avi: not a video" in capsys.readouterr().out
    main(["bench", "extract", str(folder / "b.mp4"), "--rounds", "1", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["clips"][0]["pictures"] == 30
    assert document["machine"]["av"] and document["machine"]["libavcodec"]


def test_bench_tells_of_extract_and_extract_of_itself(capsys):
    for arguments, part in ((["bench", "-h"], "bench extract PATH..."), (["bench", "extract", "-h"], "--rounds")):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
            raise SystemExit(0)
        assert not stop.value.code
        assert part in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["bench", "extract"])
    assert stop.value.code == 2
    assert "edgecvar bench extract" in capsys.readouterr().err


def test_help_of_extract_loads_nothing_heavy():
    program = (
        "import sys\nfrom edgecvar.cli.main import main\n"
        "try:\n    main(['bench', 'extract', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(*(name for name in ('av', 'numpy', 'pydantic', 'rich') if name in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "PATH..." in done.stdout and done.stderr.strip() == ""


def test_mv_extractor_that_cannot_be_loaded_says_why(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(extract, "MV_EXTRACTOR_MODULE", "no_such_module_at_all")
    assert "not installed" in extract._mv_extractor()
    monkeypatch.setitem(sys.modules, "half_a_module", SimpleNamespace())
    monkeypatch.setattr(extract, "MV_EXTRACTOR_MODULE", "half_a_module")
    assert "cannot be loaded" in extract._mv_extractor()


def test_threads_are_told_against_one(folder):
    measured = measure_extract(ExtractConfig(paths=(folder / "b.mp4",), rounds=2, pictures=12, threads=3))
    (clip,) = measured.clips
    assert {threads: len(seconds) for threads, seconds in clip.wall_seconds.items()} == {"1": 2, "3": 2}
    assert set(extract_document(measured)["clips"][0]["threads_ratio"]) == {"3"}
    clip = times("a.mp4", {"native": [1.0], "exported": [4.0]}, wall_seconds={"1": [3.0, 8.0], "2": [2.0, 4.0]})
    assert "a.mp4: parsed on 2 threads 1.75 x as fast as on one" in report(session(clip))
