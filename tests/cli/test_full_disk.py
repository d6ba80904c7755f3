"""A disk without room: one error that names the file, and no half of it, whatever was to be written."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgecvar.cli.main import main
from tests.full_disk import no_room
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    return moving_clip(folder / "clip.mp4", pictures=150, restless=True), tiny_bundle(folder)


def run_main(capfd, *arguments):
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return left.value.code, capfd.readouterr().err


@pytest.mark.parametrize(
    ("room", "name", "command"),
    [
        (2000, "out.npz", "extract {clip} -o {out}"),
        (2000, "out.npz", "extract {clip} -o {out} --residual planes"),
        (2000, "out.parquet", "extract {clip} -o {out}"),
        (2000, "out.mp4", "run {clip} --bundle {bundle} --overlay {out}"),
        (500, "out.json", "bench {clip} --bundle {bundle} --save {out}"),
        (5000, "out.png", "inspect {clip} --picture {out}"),
        (2000, "out.mp4", "synth {out} --sequence left --pictures 20"),
        (2000, "out", "synth {out} --clips 2 --jobs 1"),
    ],
)
def test_it_is_one_error_and_no_half_file(places, tmp_path, capfd, room, name, command):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs the parquet extra")
    clip, bundle = places
    words = command.format(clip=clip, bundle=bundle, out=tmp_path / name).split()
    with no_room(room):
        code, said = run_main(capfd, *words)
    assert code == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and str(tmp_path / name) in errors[0], said
    assert "Traceback" not in said and "Exception ignored" not in said
    left = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert left == []


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.txt"])
def test_decisions_that_had_room_stay(places, tmp_path, capfd, name):
    """They are written as they come, for whoever reads along."""
    clip, bundle = places
    with no_room(500):
        code, said = run_main(capfd, "run", clip, "--bundle", bundle, "-o", tmp_path / name)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert code == 1 and len(errors) == 1 and str(tmp_path / name) in errors[0], said
    assert [file.name for file in tmp_path.iterdir()] == [name] and "Traceback" not in said


@pytest.mark.parametrize(
    "arguments", ["devices", "run {clip} --bundle {bundle}", "run {clip} --bundle {bundle} --json"]
)
def test_standard_output_without_room_is_one_error(places, arguments):
    clip, bundle = places
    command = [sys.executable, "-m", "edgecvar", *arguments.format(clip=clip, bundle=bundle).split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and len(errors) == 1 and "No space left" in errors[0], done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_full_disk_is_one_line(bundle, clip):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "edgecvar.cli.main", "run", str(clip), "--bundle", str(bundle), "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error:") and "No space left" in done.stderr and done.stderr.count("\n") == 1
    done = subprocess.run([*command, "-o", "/dev/full"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/dev/full: cannot be written (No space left" in done.stderr
