"""A folder prepared: resumed to the same bytes whatever stopped it, and one bad file is one bad file."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest

from edgecvar.datasets import preparation
from edgecvar.datasets.journal import JOURNAL, MANIFEST, STATE
from edgecvar.datasets.papers import PAPERS, Settings
from edgecvar.datasets.preparation import Request, Result, plan_preparation, prepare
from edgecvar.errors import ConfigError, DatasetError, EdgecvarError
from edgecvar.files import only_user, sha256_of
from tests.datasets.deadly import prepare_or_die
from tests.datasets.published import KINETICS, moving, stills, video, written
from tests.full_disk import no_room

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips and a file that is none; not to be written to."""
    root = tmp_path_factory.mktemp("made") / "data"
    for number in range(6):
        video(root / f"class{number % 2}" / f"v_{number}.avi", moving(seed=number), times=range(60))
    stills(root / "class0" / "7")
    (root / "class1" / "junk.mp4").write_bytes(b"no video")
    return root


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def request(data: Path, **given: Any) -> Request:
    return Request(
        **{"data": data, "folder": data.parent / "out", "settings": Settings("coviar"), "workers": 0, **given}
    )


def tree(folder: Path) -> Dict[str, str]:
    """All that is in a folder but what it remembers of its runs."""
    files = (path for path in folder.rglob("*") if STATE not in path.parts and path.is_file())
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def manifest(folder: Path) -> Dict[str, Any]:
    return json.loads((folder / MANIFEST).read_text())


@pytest.fixture(scope="module")
def whole(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run makes of it."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    prepare(request(made, folder=folder))
    return folder


def test_a_folder_and_its_manifest(whole: Path, made: Path) -> None:
    document = manifest(whole)
    names = [f"class{number % 2}/v_{number}" for number in range(6)]
    outputs = sorted([*(f"{name}.mp4" for name in names), "class0/7.mp4"])
    assert [clip["output"] for clip in document["clips"]] == outputs
    assert sorted(tree(whole)) == sorted([*outputs, MANIFEST])
    for clip in document["clips"]:
        assert clip["sha256"] == sha256_of(whole / clip["output"])
        assert clip["bytes"] == (whole / clip["output"]).stat().st_size
        assert clip["pictures"] == (20 if clip["output"] == "class0/7.mp4" else 60)
        if not clip["output"].endswith("7.mp4"):
            assert clip["source_sha256"] == sha256_of(made / clip["source"])
    assert document["pictures"] == 380
    assert [each["name"] for each in document["left_out"]] == ["class1/junk.mp4"]
    settings = [document[key] for key in ("as", "codec", "gop_length", "b_pictures", "fps")]
    assert settings == ["coviar", "mpeg4", 12, 0, "source"]
    assert set(document["tools"]) >= {"edgecvar", "pyav", "libavcodec"}
    assert list((whole / STATE).iterdir()) == [whole / STATE / JOURNAL]


def start(data: Path, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "edgecvar.cli.main", "prepare", str(data), "-o", str(folder), "--as", "coviar"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--workers", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def clips_in(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.mp4"))


@pytest.mark.parametrize(("deadly", "moments"), [(signal.SIGKILL, (0, 1, 3)), (signal.SIGINT, (2,))])
def test_stopped_again_and_again_it_ends_as_one_run(
    data: Path, whole: Path, deadly: signal.Signals, moments: Sequence[int]
) -> None:
    """At random moments, once the folder holds so many clips; every other time the workers are killed with it."""
    folder, rng = data.parent / "out", random.Random(1)
    for kill, clips in enumerate(moments):
        running = start(data, folder)
        while running.poll() is None and (clips_in(folder) < clips or not (folder / STATE).exists()):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        (os.killpg if kill % 2 and deadly == signal.SIGKILL else os.kill)(running.pid, deadly)
        running.communicate()
        for path in folder.glob("*/*.mp4"):
            assert sha256_of(path) == sha256_of(whole / path.relative_to(folder))
    result = prepare(request(data))
    assert result.done < 7 and len(result.clips) == 7
    assert tree(folder) == tree(whole)
    assert list((folder / STATE).iterdir()) == [folder / STATE / JOURNAL]


def test_a_second_run_does_nothing_again(whole: Path, made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "out"))
    result = prepare(request(made, folder=folder))
    assert (result.done, len(result.clips), len(result.left_out)) == (0, 7, 1)
    assert tree(folder) == tree(whole)


def copied(whole: Path, data: Path) -> Path:
    """The prepared folder beside a data set, as if it had been prepared from it; `cp -a` keeps times."""
    folder = Path(shutil.copytree(whole, data.parent / "out"))
    journal = folder / STATE / JOURNAL
    head, *clips = journal.read_text().splitlines()
    document = {**json.loads(head), "data": str(data.resolve())}
    journal.write_text("\n".join([json.dumps(document), *clips]) + "\n")
    return folder


def test_what_is_missing_cut_or_changed_is_done_again_and_no_more(whole: Path, data: Path) -> None:
    folder = copied(whole, data)
    (folder / "class0/v_0.mp4").unlink()
    cut = folder / "class1/v_1.mp4"
    cut.write_bytes(cut.read_bytes()[:-9])
    changed = folder / "class0/v_2.mp4"
    changed.write_bytes(bytes([*changed.read_bytes()[:-1], changed.read_bytes()[-1] ^ 1]))
    os.utime(folder / "class1/v_3.mp4")  # and no more than that
    assert prepare(request(data)).done == 3
    assert tree(folder) == tree(whole)
    video(data / "class0" / "v_4.avi", moving(seed=9), times=range(30))
    assert prepare(request(data)).done == 1
    assert {clip["output"]: clip["pictures"] for clip in manifest(folder)["clips"]}["class0/v_4.mp4"] == 30


def test_half_a_line_is_as_good_as_none(whole: Path, data: Path) -> None:
    folder = copied(whole, data)
    journal = folder / STATE / JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:4]) + "\0\0\0\n" + lines[4][:50])
    assert prepare(request(data)).done == 7 - 3
    assert tree(folder) == tree(whole)
    assert len(journal.read_text().splitlines()) == 9


def test_sources_that_are_gone_leave_their_clips_and_broken_ones_take_them(whole: Path, data: Path) -> None:
    folder = copied(whole, data)
    (data / "class0/v_0.avi").unlink()
    (data / "class1/v_1.avi").write_bytes(b"no video any more")
    result = prepare(request(data))
    assert (result.gone, result.done, len(result.clips)) == (1, 0, 6)
    assert (folder / "class0/v_0.mp4").exists() and not (folder / "class1/v_1.mp4").exists()
    assert [each["name"] for each in manifest(folder)["left_out"]] == ["class1/junk.mp4", "class1/v_1.avi"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [(Settings("attp"), "--as coviar, not attp"), (Settings("coviar", Fraction(10)), "--fps source")],
)
def test_other_settings_are_an_error(whole: Path, made: Path, settings: Settings, said: str) -> None:
    before = tree(whole)
    for act in (prepare, plan_preparation):
        with pytest.raises(ConfigError, match=f"holds clips prepared with {said}"):
            act(request(made, folder=whole, settings=settings))
    assert tree(whole) == before


def test_another_data_set_is_an_error_and_a_moved_one_is_not(whole: Path, data: Path, tmp_path: Path) -> None:
    folder = copied(whole, data)
    other = written(tmp_path / "other", {"x.mp4": ""})
    with pytest.raises(ConfigError, match=r"holds clips of .*/data, not of .*/other"):
        prepare(request(other, folder=folder))
    moved = data.rename(tmp_path / "moved")
    assert prepare(request(moved, folder=folder)).done == 0


def test_places_that_would_mix_are_refused(data: Path, tmp_path: Path) -> None:
    inside = data / "out"
    (tmp_path / "link").symlink_to(data)
    for folder in (data, inside, tmp_path, tmp_path / "link" / "out"):
        with pytest.raises(ConfigError, match="prepare into a folder beside it"):
            prepare(request(data, folder=folder))
    assert not inside.exists()
    full = written(tmp_path / "full", {"mine.mp4": "mine"})
    with pytest.raises(ConfigError, match="is not empty, and not prepared by this command"):
        prepare(request(data, folder=full))
    (tmp_path / "noted").mkdir()
    (tmp_path / "noted" / STATE).symlink_to(full)
    with pytest.raises(ConfigError, match="is a link"):
        prepare(request(data, folder=tmp_path / "noted"))
    with pytest.raises(ConfigError, match="is a file"):
        prepare(request(data, folder=full / "mine.mp4"))


def test_two_at_once_are_refused(data: Path) -> None:
    state = data.parent / "out" / STATE
    state.mkdir(parents=True)
    with only_user(state), pytest.raises(ConfigError, match="another `edgecvar prepare` is at work"):
        prepare(request(data))


def test_a_process_that_dies_takes_only_its_own_clip(data: Path, monkeypatch: pytest.MonkeyPatch, whole: Path) -> None:
    monkeypatch.setattr(preparation, "prepare_clip", prepare_or_die)
    shutil.copy(data / "class0/v_0.avi", data / "class1/deadly.avi")
    result = prepare(request(data, workers=2))
    assert len(result.clips) == 7
    told = {each.name: each.reason for each in result.left_out}
    assert set(told) == {"class1/deadly.avi", "class1/junk.mp4"} and "died" in told["class1/deadly.avi"]
    clips = {name: digest for name, digest in tree(data.parent / "out").items() if name != MANIFEST}
    assert clips == {name: digest for name, digest in tree(whole).items() if name != MANIFEST}


def test_a_disk_that_takes_nothing_ends_it_with_one_error(data: Path) -> None:
    """A file stands where a folder of clips would be."""
    prepare(request(data))
    shutil.rmtree(data.parent / "out" / "class0")
    (data.parent / "out" / "class0").write_text("in the way")
    with pytest.raises(EdgecvarError, match=r"class0/7\.mp4: cannot be written \(.*\); once it can"):
        prepare(request(data))


def test_a_full_disk_leaves_no_half_file_and_is_gone_on_from(data: Path, whole: Path) -> None:
    folder = data.parent / "out"
    with no_room(10_000), pytest.raises(
        EdgecvarError, match=r"\.mp4: cannot be written \(File too large\); once it can"
    ):
        prepare(request(data))
    assert all(sha256_of(path) == sha256_of(whole / path.relative_to(folder)) for path in folder.glob("*/*.mp4"))
    assert [path.name for path in (folder / STATE).iterdir()] == [JOURNAL]
    prepare(request(data))
    assert tree(folder) == tree(whole)


def test_it_cuts_by_the_lists_that_it_finds_or_is_given(tmp_path: Path) -> None:
    root = tmp_path / "k400"
    video(root / "train/yoga/abcdefghijk.mp4", rate=Fraction(5), times=range(100), g="10")
    lists = {"train.csv": KINETICS + "yoga,abcdefghijk,4,10,train\n"}

    def pictures(folder: str, **given: Any) -> Dict[str, int]:
        result: Result = prepare(request(root, folder=tmp_path / folder, **given))
        return {clip.output: clip.pictures for clip in result.clips}

    assert pictures("a") == {"train/yoga/abcdefghijk.mp4": 100}
    cut = {"train/yoga/abcdefghijk_000004_000010.mp4": 30}
    assert pictures("b", trim=written(tmp_path / "lists", lists)) == cut
    written(root / "annotations", lists)
    assert pictures("c") == cut
    assert pictures("d", trimmed=False) == {"train/yoga/abcdefghijk.mp4": 100}
    with pytest.raises(DatasetError, match=r"no train\.csv, val\.csv or test\.csv"):
        pictures("e", trim=root / "train")


def test_papers_of_one_encoding_give_the_same_bytes(tmp_path: Path) -> None:
    clip = video(tmp_path / "data/a/x.avi")
    made: Dict[str, List[str]] = {}
    for paper in PAPERS:
        folder = tmp_path / paper
        prepare(request(clip.parents[1], folder=folder, settings=Settings(paper)))
        made.setdefault(sha256_of(folder / "a/x.mp4"), []).append(paper)
    assert sorted(made.values()) == [["attp"], ["coviar", "team", "dmc", "meaci"]]
