"""Coded values of many videos: a file each, whole or not there, by processes here and on a cluster."""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgecvar.errors import ConfigError
from edgecvar.scan import extracting
from edgecvar.scan.extracting import FolderConfig, extract_all, find_wanted
from edgecvar.scan.failures import Unwanted
from edgecvar.scan.pool import LocalPool
from edgecvar.scan.pools import opened_pool
from edgecvar.scan.sources import RemoteFile
from edgecvar.scan.values import Listed
from edgecvar.sinks.extraction import ExtractionConfig, extract
from edgecvar.workers import Died
from tests.moving_clip import moving_clip
from tests.scan.breaking import Breaking
from tests.scan.here import HerePool


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    (folder / "day").mkdir()
    moving_clip(folder / "a.mp4", pictures=12)
    moving_clip(folder / "day" / "a.mp4", pictures=20, bf="2")
    shutil.copyfile(folder / "a.mp4", folder / "day" / "a.mov")
    (folder / "day" / "none.mp4").write_bytes(b"no video")
    return folder


def extracted(output: Path, *sources: object, pool=None, **settings):
    config = FolderConfig(sources=[str(each) for each in sources], output=output, **settings)
    return extract_all(config, find_wanted(config), pool or HerePool())


def files(folder: Path):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.fixture(params=["here", "processes", "ray"])
def pool(request: pytest.FixtureRequest):
    if request.param == "here":
        yield HerePool()
    elif request.param == "processes":
        yield LocalPool(2)
    elif importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pools of processes alone are tried")
    else:
        with opened_pool("local", 2) as cluster:
            yield cluster


def test_each_video_has_the_file_that_it_would_have_alone(archive: Path, tmp_path: Path, pool) -> None:
    summary = extracted(tmp_path / "out", archive, pool=pool)
    assert files(tmp_path / "out") == ["a.mp4.npz", "day/a.mov.npz", "day/a.mp4.npz"]
    assert (summary.videos, summary.pictures, summary.before) == (4, 44, 0)
    ((name, why),) = summary.failures
    assert name == str(archive / "day" / "none.mp4") and why.startswith(name)
    alone = tmp_path / "alone.npz"
    extract(ExtractionConfig(source=str(archive / "day" / "a.mp4"), output=alone))
    with np.load(alone) as one, np.load(tmp_path / "out" / "day" / "a.mp4.npz") as other:
        assert one.files == other.files and len(one["vector_x"])
        for column in set(one.files) - {"info"}:  # which says what each was made with
            np.testing.assert_array_equal(one[column], other[column])


def jobs_of(pool: HerePool):
    return sorted(Path(job.source).name for job in pool.jobs)


def test_what_is_there_stays_unless_its_video_changed(archive: Path, tmp_path: Path) -> None:
    videos = shutil.copytree(archive, tmp_path / "videos")
    extracted(tmp_path / "out", videos)
    older = (videos / "a.mp4").stat().st_mtime_ns - 10**12  # as of a copy that keeps its time
    os.utime(videos / "a.mp4", ns=(older, older))
    pool = HerePool()
    assert extracted(tmp_path / "out", videos, pool=pool).before == 2
    assert jobs_of(pool) == ["a.mp4", "none.mp4"]
    (videos / "day" / "a.mp4").write_bytes(b"no video any more")
    assert len(extracted(tmp_path / "out", videos).failures) == 2
    assert files(tmp_path / "out") == ["a.mp4.npz", "day/a.mov.npz"]


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_files_of_other_settings_are_written_anew_each(archive: Path, tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    extracted(tmp_path / "out", archive / "day", form=form)
    half = HerePool()
    config = {"pictures": 3, "form": form}
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path / "out", archive / "day", pool=HerePool(interrupted), **config)
    summary = extracted(tmp_path / "out", archive / "day", pool=half, **config)
    assert (summary.before, jobs_of(half)) == (1, ["a.mp4", "none.mp4"])
    assert extracted(tmp_path / "out", archive / "day", **config).before == 2


def interrupted(job, result):
    raise KeyboardInterrupt


def test_a_video_that_changes_while_it_is_read_has_no_file(archive: Path, tmp_path: Path, monkeypatch) -> None:
    clip = tmp_path / "a.mp4"
    shutil.copyfile(archive / "a.mp4", clip)
    opened_source = extracting.opened_source

    @contextmanager
    def appended(name, timeout):
        with opened_source(name, timeout) as opened:
            yield opened
        with clip.open("ab") as file:
            file.write(b"more")

    with monkeypatch.context() as patched:
        patched.setattr(extracting, "opened_source", appended)
        ((_, why),) = extracted(tmp_path / "out", clip).failures
    assert "changed while it was read" in why and files(tmp_path / "out") == []


def test_a_table_has_no_room_for_planes(archive: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(ConfigError, match="planes"):
        extracted(tmp_path / "table", archive / "a.mp4", form="parquet", residual="planes")


def test_two_videos_never_share_a_file(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="would both be"):
        extracted(tmp_path / "out", archive / "a.mp4", archive / "day" / "a.mp4")
    assert not (tmp_path / "out").exists()
    summary = extracted(tmp_path / "out", archive / "a.mp4", archive)  # one of them twice
    assert summary.videos == 4


def test_a_pattern_keeps_the_folders_below_it(archive: Path, tmp_path: Path) -> None:
    extracted(tmp_path / "out", f"{archive}/**/a.mp4")
    assert files(tmp_path / "out") == ["a.mp4.npz", "day/a.mp4.npz"]


@pytest.mark.parametrize(
    ("argument", "name", "expected"),
    [
        ("s3://box/in/", "s3://box/in/day/a.mp4", "day/a.mp4.npz"),
        ("s3://box/in/", "s3://box/in/../../../b.mp4", "b.mp4.npz"),
        ("s3://box/*/a.mp4", "s3://box/day/a.mp4", "day/a.mp4.npz"),
        ("s3://box/in/", "s3://elsewhere/a.mp4", "a.mp4.npz"),
        ("https://host/in/a%20b.mp4?key=secret", "https://host/in/a%20b.mp4?key=secret", "a b.mp4.npz"),
        ("zip://cam/*.mp4::archive.zip", "zip://cam/a.mp4::archive.zip", "a.mp4.npz"),
    ],
)
def test_where_what_a_server_names_goes(argument, name, expected, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edgecvar.scan.extracting.find_listed", lambda arguments: [Listed(name)])
    (wanted,) = find_wanted(FolderConfig(sources=(argument,), output=tmp_path))
    assert wanted.output == tmp_path / expected  # however it is called, below the folder


def test_a_video_that_breaks_off_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = moving_clip(tmp_path / "clip.ts", pictures=400, restless=True)
    files_read = [Breaking(clip.read_bytes(), 1000, OSError("gone"))]

    @contextmanager
    def breaking(name, timeout):
        yield RemoteFile(files_read[-1], name)

    with monkeypatch.context() as patched:
        patched.setattr("edgecvar.scan.extracting.opened_source", breaking)
        assert extracted(tmp_path / "whole", clip).pictures == 400
        files_read.append(Breaking(clip.read_bytes(), files_read[0].reads * 3 // 4, OSError("gone")))
        ((name, why),) = extracted(tmp_path / "out", clip).failures
    assert name == str(clip) and "it broke off after" in why and "gone" in why
    assert files(tmp_path / "out") == []
    assert extracted(tmp_path / "out", clip).pictures == 400


def test_a_process_that_dies_is_counted(archive: Path, tmp_path: Path) -> None:
    pool = HerePool(lambda job, result: Died())
    summary = extracted(tmp_path / "out", archive / "a.mp4", pool=pool)
    assert len(pool.jobs) == 3 and "died 3 times" in summary.failures[0][1]


def test_what_nobody_waits_for_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    class Leaving(HerePool):
        def each(self, work, jobs, enter):
            enter(lambda: True)
            for job in jobs:
                yield job, work(job)

    with pytest.raises(Unwanted):
        extracted(tmp_path / "out", archive / "a.mp4", pool=Leaving())
    assert files(tmp_path / "out") == []
