"""`edgecvar run` as a user meets it: output, one line of error, several sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import av
import pytest

from tests.moving_clip import moving_clip
from tests.stream.images.intra_clips import Fake, offer
from tests.stream.test_containers import edited
from tests.tiny_bundle import tiny_bundle


def test_a_moving_clip_is_recognised(edgecvar, bundle, clip):
    code, out, err = edgecvar("run", clip, "--bundle", bundle)
    assert (code, err) == (0, "")
    assert "right" in out.splitlines()[1] and "40 pictures" in out.splitlines()[-1]


def test_a_moving_clip_of_hevc_is_recognised(edgecvar, bundle, tmp_path):
    clip = moving_clip(tmp_path / "clip.mkv", 40, codec="hevc")
    code, out, err = edgecvar("run", clip, "--bundle", bundle)
    assert (code, err) == (0, "")
    assert "right" in out.splitlines()[1] and "40 pictures" in out.splitlines()[-1]
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--extraction", "ffmpeg")
    assert code == 1 and err.startswith(f"error: {clip}: FFmpeg gives no vectors of HEVC") and err.count("\n") == 1


def test_json_ends_with_the_summary(edgecvar, bundle, clip):
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json", "--top", "2", "--every", "4")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len(lines) == 11 and lines[-1]["summary"]["decisions"] == 10
    assert lines[5]["label"] == "right" and len(lines[5]["top"]) == 2
    assert [line["display_index"] for line in lines[:4]] == [1, 6, 8, 15]  # one of every four, no I-picture
    assert lines[0]["pts_seconds"] == pytest.approx(0.04)


def test_an_untrained_bundle_says_so_everywhere(edgecvar, tmp_path, clip):
    untrained = tiny_bundle(tmp_path, untrained=True)
    code, out, err = edgecvar("run", clip, "--bundle", untrained, "--json")
    assert code == 0 and err.startswith("warning:") and "untrained" in err
    assert all(json.loads(line)["untrained"] for line in out.splitlines())


def test_the_overlay_has_every_picture(edgecvar, tmp_path, bundle, clip):
    target = tmp_path / "out.mp4"
    code, _, err = edgecvar("run", clip, "--bundle", bundle, "--overlay", target)
    assert str(target) in err
    with av.open(str(target)) as container:
        assert (code, sum(1 for _ in container.decode(video=0))) == (0, 40)


def broken_sources(folder):
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    return [folder / "missing.mp4", folder / "text.mp4", folder / "empty.mp4", folder / "none*.mp4"]


def test_what_is_no_video_is_one_line_and_exit_1(edgecvar, tmp_path, bundle):
    for source in broken_sources(tmp_path):
        code, out, err = edgecvar("run", source, "--bundle", bundle, "--json")
        assert (code, out) == (1, "")
        assert err.startswith("error: ") and err.count("\n") == 1 and str(source) in err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two clips and a file that is none, one of them in a folder below."""
    root = tmp_path_factory.mktemp("recordings")
    (root / "below").mkdir()
    moving_clip(root / "a.mp4", pictures=20)
    moving_clip(root / "below" / "b.mp4", pictures=30)
    (root / "broken.mp4").write_text("this is no video\n" * 100)
    (root / "notes.txt").write_text("not looked at")
    return root


def test_a_folder_is_run_file_by_file_and_what_is_broken_is_named(edgecvar, bundle, folder):
    code, out, err = edgecvar("run", folder, "--bundle", bundle, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and err.count("error: ") == 1 and "[3/3]" in err and "1 of 3 sources could not be run" in err
    names = [folder / "a.mp4", folder / "below" / "b.mp4", folder / "broken.mp4"]
    assert list(dict.fromkeys(line["source"] for line in lines)) == [str(name) for name in names]
    summaries = [line["summary"]["pictures"] for line in lines if "summary" in line]
    assert summaries == [20, 30] and "no" in lines[-1]["error"]
    for name in names[:2]:  # each as if it were alone
        alone = [json.loads(line) for line in edgecvar("run", name, "--bundle", bundle, "--json")[1].splitlines()]
        among = [line for line in lines if line["source"] == str(name)]
        assert [line.get("probability") for line in alone] == [line.get("probability") for line in among]


def test_a_pattern_and_a_file_twice_are_each_run_once(edgecvar, bundle, folder):
    code, out, err = edgecvar("run", folder / "**" / "?.mp4", folder / "a.mp4", "--bundle", bundle)
    assert code == 0 and "[2/2]" in err
    assert [line.split()[0] for line in out.splitlines() if "pictures" in line] == ["20", "30"]


def test_csv_goes_into_a_file_with_one_header(edgecvar, bundle, folder, tmp_path):
    target = tmp_path / "seen.csv"
    code, out, _ = edgecvar("run", folder / "a.mp4", folder / "below", "--bundle", bundle, "-o", target)
    header, *rows = target.read_text().splitlines()
    assert (code, out) == (0, "") and header.startswith("source,pts_seconds,") and "source" not in rows
    assert {row.split(",")[0] for row in rows} == {str(folder / "a.mp4"), str(folder / "below" / "b.mp4")}
    alone = edgecvar("run", folder / "a.mp4", "--bundle", bundle, "--csv")[1].splitlines()
    # All but the latency, which no two runs share.
    assert [row.split(",")[:5] for row in alone[1:]] == [row.split(",")[:5] for row in rows[: len(alone) - 1]]


def test_csv_has_its_header_where_the_first_source_is_broken_and_names_of_any_bytes(edgecvar, bundle, folder, tmp_path):
    strange = os.fsdecode(bytes(tmp_path) + b"/b\xff\n.mp4")
    shutil.copy(folder / "a.mp4", strange)
    target = tmp_path / "seen.csv"
    arguments = (folder / "broken.mp4", strange, "--bundle", bundle)
    code, _, err = edgecvar("run", *arguments, "-o", target)
    header, *rows = target.read_text(encoding="utf-8").splitlines()
    assert code == 1 and header.startswith("source,") and rows
    assert "b\\udcff\\n.mp4" in err and err.count("\n") == 4
    code, out, _ = edgecvar("run", *arguments, "--json")
    assert json.loads(out.splitlines()[1])["source"].endswith("b\\udcff\n.mp4")


def test_tables_of_several_sources_name_them(edgecvar, bundle, folder):
    code, out, _ = edgecvar("run", folder / "a.mp4", folder / "below", "--bundle", bundle)
    names = [line for line in out.splitlines() if line.endswith(".mp4")]
    assert code == 0 and names == [str(folder / "a.mp4"), str(folder / "below" / "b.mp4")]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-", "{clip}"], "standard input"),
        (["{clip}", "-o", "{clip}"], "a source itself"),
        (["{clip}", "-o", "{folder}/nowhere/out.csv"], "make its folder first"),
        (["{clip}", "{folder}/below", "--overlay", "{folder}/out.mp4"], "several sources"),
        (["{folder}/empty"], "no video there"),
        ([""], "a source is empty"),
        (["{clip}", "--overlay", "{folder}/x.mp4", "-o", "{folder}/x.mp4"], "--overlay writes there"),
    ],
)
def test_what_cannot_be_written_or_found_is_refused_before_anything_runs(
    edgecvar, bundle, folder, tmp_path, arguments, message
):
    (folder / "empty").mkdir(exist_ok=True)
    clip = moving_clip(tmp_path / "clip.mp4", pictures=20)
    before = clip.read_bytes()
    filled = [argument.format(clip=clip, folder=folder) for argument in arguments]
    code, out, err = edgecvar("run", *filled, "--bundle", bundle)
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1
    assert clip.read_bytes() == before


def test_several_overlays_go_into_a_folder(edgecvar, bundle, folder, tmp_path):
    code, _, _ = edgecvar("run", folder / "a.mp4", folder / "below", "--bundle", bundle, "--overlay", tmp_path)
    assert code == 0 and sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    (tmp_path / "one").mkdir()
    assert edgecvar("run", folder / "below", "--bundle", bundle, "--overlay", tmp_path / "one")[0] == 0
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["b.mp4"]


def test_json_and_csv_together_are_refused(edgecvar, clip):
    assert edgecvar("run", clip, "--json", "--csv")[0] == 2


def test_options_out_of_range_name_themselves(edgecvar, bundle, clip):
    code, _, err = edgecvar("run", clip, "--bundle", bundle, "--top", "0")
    assert code != 0 and "--top" in err


def test_a_bundle_that_is_missing_or_changed_is_one_line_and_exit_1(edgecvar, tmp_path, clip):
    code, _, err = edgecvar("run", clip, "--bundle", tmp_path / "none.edgecvar")
    assert code == 1 and "none.edgecvar" in err and err.count("\n") == 1
    changed = tiny_bundle(tmp_path)
    with (changed / "onnx" / "fuse.fp32.onnx").open("ab") as file:
        file.write(b"\0")
    code, _, err = edgecvar("run", clip, "--bundle", changed)
    assert code == 1 and "fuse.fp32.onnx" in err and err.count("\n") == 1


def test_the_overlay_is_refused_before_the_source_is_opened(edgecvar, bundle):
    code, _, err = edgecvar("run", "-", "--bundle", bundle, "--overlay", "out.mp4")
    assert code == 1 and "standard input" in err


@pytest.mark.parametrize("pictures", [1, 24])
def test_only_i_pictures_end_without_a_decision_and_with_exit_1(edgecvar, tmp_path, bundle, pictures):
    clip = moving_clip(tmp_path / "intra.mp4", pictures=pictures, g="1")
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json")
    (line,) = out.splitlines()
    summary = json.loads(line)["summary"]
    assert code == 1 and summary["decisions"] == 0 and summary["pictures"] == pictures
    assert summary["note"].startswith("no decision") and err == f"error: {clip}: {summary['note']}\n"
    code, out, err = edgecvar("run", clip, "--bundle", bundle)
    assert code == 1 and "no decision" in out


@pytest.mark.parametrize("verb", ["run", "inspect", "devices"])
def test_output_that_is_no_utf_8_has_escapes(bundle, clip, tmp_path, verb):
    named = tmp_path / "Grüße.mp4"
    shutil.copy(clip, named)
    arguments = {"run": [named, named, "--bundle", bundle, "--json"], "inspect": [named]}.get(verb, [])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "edgecvar", verb, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0 and done.stdout.decode("ascii") and b"Traceback" not in done.stderr
    if verb == "run":
        assert {json.loads(line)["source"] for line in done.stdout.splitlines()} == {str(named)}


def test_passwords_are_printed_nowhere(edgecvar, bundle, tmp_path, clip):
    url = "rtsp://user:secret@127.0.0.1:1/live"
    for arguments in (
        ["run", url],
        ["run", url, clip, "--json"],
        ["inspect", url],
        ["bench", url],
        ["run", url, "--csv"],
    ):
        once = {"run": ["--no-reconnect"]}.get(arguments[0], [])
        code, out, err = edgecvar(*arguments, *once, *([] if arguments[0] == "inspect" else ["--bundle", bundle]))
        assert code == 1 and "user:***@" in err and "secret" not in out + err
    for arguments in (["inspect", url], ["extract", url, "-o", tmp_path / "a.npz"]):
        code, out, err = edgecvar(*arguments)
        assert code == 1 and "user:***@" in err and "secret" not in out + err


def test_a_source_that_can_be_read_once_is_refused_where_it_is_read_twice(edgecvar, bundle, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in ("-", tmp_path / "pipe"):
        for arguments in (
            ["run", source, "--overlay", tmp_path / "a.mp4", "--bundle", bundle],
            ["inspect", source, "--picture", tmp_path / "a.png"],
            ["bench", source, "--bundle", bundle],
        ):
            code, _, err = edgecvar(*arguments)
            assert code == 1 and err.count("\n") == 1 and ("once" in err or "twice" in err)


def test_a_trimmed_file_is_what_a_player_shows(edgecvar, bundle, tmp_path):
    """A cut without re-encoding: the pictures before it are there, for those after it to refer to."""
    clip = moving_clip(tmp_path / "clip.mp4", pictures=104, g="100", bf="2")
    edited(clip, 88)
    code, out, _ = edgecvar("run", clip, "--bundle", bundle, "--json", "--overlay", tmp_path / "seen.mp4")
    *decisions, summary = [json.loads(line) for line in out.splitlines()]
    counts = summary["summary"]
    assert code == 0 and (counts["pictures"], counts["hidden"], counts["skipped"]) == (16, 88, 0)
    assert len(decisions) == 8 and {decision["label"] for decision in decisions} == {"right"}
    assert all(0 <= decision["pts_seconds"] <= 0.6 for decision in decisions)
    with av.open(str(tmp_path / "seen.mp4")) as container:
        assert len(list(container.decode(video=0))) == 16


def test_what_decoded_i_pictures_is_said(edgecvar, bundle, clip, monkeypatch):
    offer(monkeypatch, ("fake", lambda: Fake("refuses", 2)))
    code, out, err = edgecvar("run", clip, "--bundle", bundle)
    *_, by, instead = out.splitlines()
    assert (code, err, by) == (0, "", "I-pictures by fake, differs by 0 from software, on average")
    assert instead == "I-pictures in software instead: fake: it refuses: 1"
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json", "--decoder", "gstreamer")
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert summary["decoder"] == by[len("I-pictures by ") :] and summary["fallbacks"] == {"fake: it refuses": 1}
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json", "--decoder", "software")
    assert not {"decoder", "fallbacks"} & set(json.loads(out.splitlines()[-1])["summary"])
    offer(monkeypatch, ("fake", lambda: Fake("absent")))
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--decoder", "cuda")
    assert (code, out) == (
        1,
        "",
    ) and err == "error: decoder 'cuda': fake: it is not here; use 'auto' (--decoder auto)\n"


def test_what_a_decoder_prints_is_not_among_the_decisions(bundle, clip):
    program = (
        "import os, sys\n"
        "from edgecvar.cli.main import main\n"
        "from edgecvar.sinks import job\n"
        "from edgecvar.stream.images import choice, keys\n"
        "from tests.stream.images.intra_clips import Fake\n"
        "class Loud(Fake):\n"
        "    def decode(self, *given):\n"
        "        os.write(1, b'Opening in BLOCKING MODE\\n')\n"
        "        return super().decode(*given)\n"
        "job.candidates = keys.candidates = lambda decoder, codec=None: [choice.Candidate('loud', Loud)]\n"
        "main(sys.argv[1:])\n"
    )
    given = ["run", str(clip), "--bundle", str(bundle), "--json"]
    done = subprocess.run([sys.executable, "-c", program, *given], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and set(done.stderr.splitlines()) == {"Opening in BLOCKING MODE"}, done.stderr
    *decisions, last = (json.loads(line) for line in done.stdout.splitlines())
    assert decisions and last["summary"]["decoder"].startswith("loud, ")
