"""`edgecvar run` as a user meets it: output, one line of error, pipes."""

from __future__ import annotations

import json
import operator
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import av
import pytest

from tests.moving_clip import moving_clip
from tests.stream.test_containers import edited
from tests.stream.transport import TURN, Clockwork, slow_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=40)


def spawn(*arguments, **options):
    command = [sys.executable, "-m", "edgecvar.cli.main", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options)


def test_a_moving_clip_is_recognised(edgecvar, bundle, clip):
    code, out, err = edgecvar("run", clip, "--bundle", bundle)
    assert (code, err) == (0, "")
    assert "right" in out.splitlines()[1] and "40 pictures" in out.splitlines()[-1]


def test_json_ends_with_the_summary(edgecvar, bundle, clip):
    code, out, err = edgecvar("run", clip, "--bundle", bundle, "--json", "--top", "2", "--every", "4")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len(lines) == 11 and lines[-1]["summary"]["decisions"] == 10
    assert lines[5]["label"] == "right" and len(lines[5]["top"]) == 2
    assert [line["display_index"] for line in lines[:4]] == [1, 4, 8, 13]
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
        (["{clip}", "-o", "{folder}/nowhere/out.csv"], "make the folder first"),
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


@pytest.mark.parametrize("options", [["--every", "0"], ["--every", "301"], ["--top", "0"]])
def test_options_out_of_range_name_themselves(edgecvar, bundle, clip, options):
    code, _, err = edgecvar("run", clip, "--bundle", bundle, *options)
    assert code != 0 and options[0] in err


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


def test_standard_input_gives_what_the_file_gives(tmp_path, bundle):
    clip = moving_clip(tmp_path / "stream.ts", pictures=40)
    outputs = []
    for source, stdin in ((clip, None), ("-", subprocess.PIPE), ("-", clip.open("rb"))):
        process = spawn("run", source, "--bundle", bundle, "--json", stdin=stdin)
        out, err = process.communicate(clip.read_bytes() if stdin is subprocess.PIPE else None, timeout=60)
        assert process.returncode == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        outputs.append([(line["display_index"], line["label"], line["probability"]) for line in lines[:-1]])
    assert outputs[0] and outputs[0] == outputs[1] == outputs[2]


def test_a_reader_that_has_enough_ends_the_run_silently(tmp_path, bundle):
    clip = moving_clip(tmp_path / "long.mp4", pictures=1500)
    process = spawn("run", clip, "--bundle", bundle, "--json", "--every", "1")
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""


def test_interrupting_a_run_that_waits_for_its_pipe_ends_it_with_a_summary(tmp_path, bundle):
    clip = moving_clip(tmp_path / "stream.ts", pictures=100)
    process = spawn("run", "-", "--bundle", bundle, "--json", stdin=subprocess.PIPE)
    process.stdin.write(clip.read_bytes())
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"{")
    time.sleep(0.2)  # so that it most likely waits for more; it must end either way
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130  # with its pipe still open
    out, err = process.communicate()
    assert err.strip() == b"interrupted"
    assert json.loads(out.splitlines()[-1])["summary"]["ended"] == "interrupted"


SIGNALS = [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")]


@pytest.mark.parametrize("number, code, word", SIGNALS)
def test_the_first_signal_ends_a_run_that_waits_for_a_server(bundle, tmp_path, number, code, word):
    clip = moving_clip(tmp_path / "stream.ts", pictures=100)
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        process = spawn("run", source, "--bundle", bundle, "--json", "--timeout", "100")
        connection, _ = server.accept()
        connection.sendall(clip.read_bytes())
        assert process.stdout.readline().startswith(b"{")
        process.send_signal(number)
        assert process.wait(timeout=60) == code
        out, err = process.communicate()
        assert err.strip() == word and json.loads(out.splitlines()[-1])["summary"]["ended"] == word.decode()
        connection.close()


def test_interrupting_a_run_whose_pipe_nobody_writes_to_ends_it(bundle, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    process = spawn("run", tmp_path / "pipe", "--bundle", bundle, "--json", "--timeout", "100")
    for _ in range(600):  # until its end of the pipe is open
        with suppress(OSError):
            writer = os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    out, err = process.communicate()
    assert (out, err.strip()) == (b"", b"interrupted")
    os.close(writer)


@pytest.mark.parametrize("number, code, word", SIGNALS)
def test_a_signal_keeps_the_overlay_whole_and_leaves_no_hidden_file(bundle, tmp_path, number, code, word):
    clip, target = moving_clip(tmp_path / "long.mp4", pictures=3000), tmp_path / "out" / "overlay.mp4"
    target.parent.mkdir()
    process = spawn("run", clip, "--bundle", bundle, "--json", "--overlay", target)
    for _ in range(20):
        assert process.stdout.readline().startswith(b"{")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code and word in err and b"Traceback" not in err
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert summary["ended"] == word.decode() and 20 <= summary["decisions"] < 700
    assert list(target.parent.iterdir()) == [target]
    with av.open(str(target)) as container:
        assert 0 < sum(1 for _ in container.decode(video=0)) < 3000


def test_a_run_that_ends_before_its_first_decision_says_why(bundle, tmp_path):
    clip = moving_clip(tmp_path / "intra.ts", pictures=100, g="1")
    process = spawn("run", "-", "--bundle", bundle, "--json", stdin=subprocess.PIPE)
    process.stdin.write(clip.read_bytes())
    process.stdin.flush()
    time.sleep(2)  # so that it most likely reads; where it does not yet, there is no summary
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    lines = process.stdout.read().splitlines()
    for line in lines:
        summary = json.loads(line)["summary"]
        assert summary["ended"] == "terminated" and summary["note"] == "no decision: the run ended before the first"


def test_ctrl_c_during_the_imports_is_no_traceback():
    program = (
        "import builtins, os, runpy, signal, sys\n"
        "load = builtins.__import__\n"
        "def interrupted(name, *rest, **named):\n"
        "    if name == 'click':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest, **named)\n"
        "builtins.__import__ = interrupted\n"
        "sys.argv = ['edgecvar', 'models']\n"
        "runpy.run_module('edgecvar', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    "redirections, code, shown",
    [
        ("<&-", 0, "right"),
        (">&-", 0, ""),
        ("2>&-", 0, "right"),
        ("<&- >&- 2>&-", 0, ""),
        ("- <&-", 1, "standard input is closed"),
        ("none.mp4 >&-", 1, "no such file"),
        ("none.mp4 2>&-", 1, ""),
    ],
)
def test_standard_streams_may_be_closed(bundle, clip, tmp_path, redirections, code, shown):
    source = "" if redirections.startswith(("-", "none")) else str(clip)
    line = f"exec {sys.executable} -m edgecvar run {source} {redirections} --bundle {bundle} --overlay {tmp_path}/o.mp4"
    line = line.replace("--overlay", "--top 2 #") if code else line
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == code and "Traceback" not in done.stderr and shown in done.stdout + done.stderr
    assert not code or done.stdout == ""
    if not code:  # no message went into a file that took the number of a closed stream
        with av.open(f"{tmp_path}/o.mp4") as container:
            assert sum(1 for _ in container.decode(video=0)) == 40


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
        code, out, err = edgecvar(*arguments, *([] if arguments[0] == "inspect" else ["--bundle", bundle]))
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


@pytest.mark.parametrize("verb", ["inspect", "extract"])
def test_other_verbs_read_standard_input_too(tmp_path, verb):
    clip = moving_clip(tmp_path / "stream.ts", pictures=40)
    process = spawn(verb, "-", *(["--json"] if verb == "inspect" else ["-o", tmp_path / "a.npz", "--json"]), stdin=-1)
    out, err = process.communicate(clip.read_bytes(), timeout=60)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["pictures"] == 40 if verb == "extract" else len(document["kinds"]) == 40


def test_interrupting_a_run_that_still_looks_for_a_video_in_its_pipe_ends_it(bundle):
    process = spawn("run", "-", "--bundle", bundle, "--json", stdin=subprocess.PIPE)
    stuffing = b"\x47\x1f\xff\x10" + b"\xff" * 184  # a transport stream packet without content
    process.stdin.write(stuffing * 1000)  # more than a pipe holds: it is read from when this returns
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert process.stdout.read() == b"" and process.stderr.read().strip() == b"interrupted"


def test_a_full_disk_is_one_line(bundle, clip):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "edgecvar.cli.main", "run", str(clip), "--bundle", str(bundle), "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error:") and "No space left" in done.stderr and done.stderr.count("\n") == 1
    done = subprocess.run([*command, "-o", "/dev/full"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/dev/full: cannot be written (No space left" in done.stderr


def test_ten_minutes_through_a_pipe_take_no_more_memory_than_three(bundle, tmp_path):
    """Of a transport stream whose clock turns meanwhile; decisions come in the order of their times."""
    out, clockwork = tmp_path / "out.jsonl", Clockwork(slow_clip(tmp_path / "slow.ts"))
    parts = [clockwork.at(partial(operator.add, TURN + second * 90_000)) for second in range(-300, 300, 20)]
    held = []
    with spawn("run", "-", "--bundle", bundle, "--json", "-o", out, stdin=subprocess.PIPE) as child:
        for share, decided in ((parts[:9], 150), (parts[9:], 550)):
            child.stdin.write(b"".join(share))
            child.stdin.flush()
            lines_of(out, decided)
            held.append(resident(child.pid))
        assert child.communicate(timeout=60)[1] == b"" and child.returncode == 0
    *decisions, summary = [json.loads(line) for line in out.read_text().splitlines()]
    times = [decision["pts_seconds"] for decision in decisions]
    assert len(times) == 600 and all(late > early for early, late in zip(times, times[1:]))
    assert summary["summary"]["stream_seconds"] == pytest.approx(599.5) and "breaks" not in summary["summary"]
    assert held[1] - held[0] < 8 << 20


def lines_of(file, count):
    """Waits until so many lines are in a file."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if file.exists() and file.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{file}: fewer than {count} lines")


def resident(pid):
    """Bytes of memory that a process holds."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) << 10


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
