"""Both pools do the same: processes of this machine, and a Ray cluster where Ray is installed."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.clips.labelled import Clip
from edgecvar.errors import ConfigError
from edgecvar.scan.cluster import RayPool
from edgecvar.scan.pool import LocalPool, each_tried
from edgecvar.scan.pools import opened_pool
from edgecvar.workers import Died
from tests.scan import works


@pytest.fixture(scope="module", params=["processes", "ray"])
def pool(request: pytest.FixtureRequest):
    if request.param == "processes":
        yield LocalPool(2)
        return
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pools of processes alone are tried")
    terminate = signal.getsignal(signal.SIGTERM)
    with opened_pool("local", 2) as cluster:
        import ray

        assert signal.getsignal(signal.SIGTERM) is terminate  # who listens to it goes on listening
        assert sys.stdout is sys.stderr  # where Ray prints, and a document of --json may be under way
        assert ray.util.get_node_ip_address() == "127.0.0.1"  # where all of a local cluster listens
        yield cluster


def test_a_job_whose_process_dies_is_given_back_and_the_others_are_done(pool) -> None:
    results = dict(pool.each(works.halve, [4, 0, 2, 6], works.enter))
    assert isinstance(results.pop(0), Died)
    assert results == {4: 2.0, 2: 1.0, 6: 3.0}


def test_a_job_is_tried_again(pool, tmp_path: Path) -> None:
    marks = [str(tmp_path / name) for name in "ab"]
    assert sorted(each_tried(pool, works.die_once, marks, works.enter)) == [(mark, mark) for mark in marks]
    results = dict(each_tried(pool, works.halve, [0, 8], works.enter))
    assert isinstance(results[0], Died) and results[8] == 4.0


def test_jobs_are_taken_as_they_can_be_begun(pool) -> None:
    taken, given = [], 0

    def jobs():
        for number in range(1, 15):
            taken.append(number)
            yield number

    for _ in pool.each(works.halve, jobs(), works.enter):
        given += 1
        assert len(taken) - given <= 2 * pool.workers
    assert given == 14


def test_what_work_raises_is_raised(pool) -> None:
    with pytest.raises(ConfigError, match="-1 is below 0"):
        list(pool.each(works.halve, [-1], works.enter))


def test_a_scan_comes_to_the_same_table(pool, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from tests.scan.scanned import scanned

    for name in ("a.mp4", "b.mp4"):
        shutil.copyfile(default_clip(), tmp_path / name)
    (tmp_path / "c.mp4").write_bytes(b"no video")
    there, here = tmp_path / "there.parquet", tmp_path / "here.parquet"
    for output, by in ((there, pool), (here, None)):
        summary = scanned(default_bundle(), [tmp_path], output, by)
        assert summary is not None and len(summary.failures) == 1
    assert there.read_bytes() == here.read_bytes()


def test_an_evaluation_gives_its_scores_in_order(pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.judge.evaluate import EvalConfig, score_clips

    bundle = open_bundle(default_bundle())
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    clips = [Clip(default_clip(), "up"), Clip(tmp_path / "broken.mp4", "up"), Clip(default_clip(), "down")]
    monkeypatch.setattr("edgecvar.judge.evaluate.opened_pool", lambda ray, jobs, gpus: nullcontext(pool))
    config = {"bundle": bundle.path, "folder": tmp_path}
    there = list(score_clips(bundle, clips, EvalConfig(**config, ray="local")))
    here = list(score_clips(bundle, clips, EvalConfig(**config, jobs=1)))
    assert [each.clip for each in there] == clips
    assert [None if each.scores is None else each.scores.tolist() for each in there] == [
        None if each.scores is None else each.scores.tolist() for each in here
    ]
    assert [each.error for each in there] == [each.error for each in here]


def test_a_data_set_is_prepared_elsewhere_as_here(pool, tmp_path: Path) -> None:
    from functools import partial

    from edgecvar.datasets.clip import begin_where, prepare_clip
    from edgecvar.datasets.papers import Settings
    from edgecvar.datasets.preparation import Request, prepare

    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(default_clip(), data / "clip.mp4")
    (data / "broken.mp4").write_bytes(b"no video")
    elsewhere = partial(each_tried, pool, prepare_clip, enter=begin_where)
    there = prepare(Request(data, tmp_path / "there", Settings("coviar", None)), elsewhere=elsewhere)
    here = prepare(Request(data, tmp_path / "here", Settings("coviar", None), workers=0))
    assert [each.sha256 for each in there.clips] == [each.sha256 for each in here.clips]
    assert len(there.left_out) == len(here.left_out) == 1


def test_a_cluster_that_is_not_there_is_an_error() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    # In a process of its own: one that is connected to a cluster is asked for no other.
    program = "from edgecvar.scan.cluster import RayPool\nRayPool('nonsense:port:1').__enter__()"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "ConfigError: --ray nonsense:port:1: no cluster there" in done.stderr


def test_a_cluster_works_where_it_is_asked_from(pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [folder for _, folder in pool.each(works.where, [1], works.enter)] == [str(tmp_path)]


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A Ray of 8 cores and 2 GPUs that does tasks when they are asked for, and keeps what it is `told` of them."""
    has = {"CPU": 8.0, "GPU": 2.0}

    def remote(**options):
        ray.told.update(options)
        return lambda work: SimpleNamespace(remote=lambda key, beginning, job: work(key, beginning, job))

    ray = SimpleNamespace(told={}, has=has, remote=remote, put=lambda value: PretendedReference(value))
    ray.init = ray.shutdown = lambda *_, **__: None
    ray.cluster_resources = lambda: has
    ray.get = lambda value: value.value if isinstance(value, PretendedReference) else value
    ray.wait = lambda busy, num_returns: (busy[:1], busy[1:])
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("edgecvar.scan.cluster.need_extra", lambda *_: None)
    return ray


class PretendedReference:
    def __init__(self, value: object) -> None:
        self.value = value

    def hex(self) -> str:
        return str(id(self))


def test_a_task_has_a_gpu_to_itself_where_it_needs_one(pretended: SimpleNamespace) -> None:
    with RayPool("auto", gpus=1) as pool:
        assert sorted(pool.each(works.halve, [2, 4, 6, 8, 10], works.enter)) == [
            (each, each / 2) for each in (2, 4, 6, 8, 10)
        ]
        assert (pool.workers, pretended.told["num_gpus"], pretended.told["num_cpus"]) == (2, 1, 1)
    pretended.told.clear()
    with RayPool("auto") as pool:
        list(pool.each(works.halve, [2], works.enter))
        assert pool.workers == 8 and "num_gpus" not in pretended.told
    del pretended.has["GPU"]
    with pytest.raises(ConfigError, match="--ray auto: Ray finds no GPU there"):
        RayPool("auto", gpus=1).__enter__()


def test_an_evaluation_by_tensorrt_asks_for_a_gpu_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.judge.evaluate import EvalConfig, score_clips

    class Asked(Exception):
        pass

    def ask(*asked):
        raise Asked(*asked)

    monkeypatch.setattr("edgecvar.judge.evaluate.opened_pool", ask)
    for engine, gpus in (("onnx", 0), ("trt", 1)):
        monkeypatch.setattr("edgecvar.judge.evaluate.resolve", lambda bundle, config, engine=engine: (engine, "fp16"))
        config = EvalConfig(bundle=default_bundle(), folder=tmp_path, ray="auto")
        with pytest.raises(Asked) as told:
            list(score_clips(open_bundle(default_bundle()), [], config))
        assert told.value.args == ("auto", None, gpus)
