"""Networks are measured in turn, and what a row says is what its rounds and clips say."""

from __future__ import annotations

import shutil

import pytest

from edgecvar.bench import networks
from edgecvar.bench.measure import BenchConfig, measure
from edgecvar.bench.networks import Candidate, NetworksConfig, measure_networks
from edgecvar.bench.session import Phase
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import DatasetError
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(tiny_bundle(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=40)


def candidates(bundle, *names):
    return [Candidate(name, bundle.path / "best.pt", bundle, 10, 20) for name in names]


def test_rounds_begin_with_another_network_each_and_medians_are_shown(monkeypatch, bundle, clip):
    session = measure(BenchConfig(source=str(clip), bundle=bundle.path, seconds=0.1))
    speeds = iter([100, 1, 2, 30, 300, 3])  # a b, b a, a b
    told = []

    def measured(config):
        assert (config.runner, config.precision, config.threads, config.seconds) == ("onnx", "fp32", 1, 0.5)
        pictures = next(speeds)
        run = Phase(wall_seconds=1, pictures=pictures, sampled=pictures // 2, decisions=1, spans_ms={}, latency_ms=[])
        return session.model_copy(update={"run": run, "stages_alone": run})

    monkeypatch.setattr(networks, "measure", measured)
    config = NetworksConfig(source=clip, rounds=3, seconds=0.5, threads=1)
    found = measure_networks(candidates(bundle, "a", "b"), config, lambda done, total, what: told.append((done, what)))
    by_name = {each.name: each for each in found.networks}
    assert [each.pictures_per_second for each in by_name["a"].rounds] == [100, 30, 300]
    assert [each.pictures_per_second for each in by_name["b"].rounds] == [1, 2, 3]
    assert (by_name["a"].pictures_per_second, by_name["b"].pictures_per_second) == (100, 2)
    assert by_name["a"].samples_per_second == 50
    assert all(each.accuracy is None for each in found.networks)
    assert [what[8] for _, what in told] == list("abbaab")
    assert [done for done, _ in told] == list(range(6))


def test_clips_that_cannot_be_read_are_not_counted_and_others_do_not_match(tmp_path, bundle, clip):
    """Every clip moves to the right, one of `left` is broken, and `extra` is not asked for."""
    for label in ("left", "right"):
        for name in ("one", "other", "extra"):
            (tmp_path / label).mkdir(exist_ok=True)
            shutil.copyfile(clip, tmp_path / label / f"{name}.mp4")
    (tmp_path / "left" / "one.mp4").write_bytes(b"no video")
    config = NetworksConfig(data=tmp_path, match="^o", source=clip, rounds=1, seconds=0.1, threads=1)
    told = []
    (found,) = measure_networks(candidates(bundle, "a"), config, lambda *step: told.append(step)).networks
    assert found.accuracy.model_dump() == {"clips": 3, "right": 2, "undecided": 0, "unreadable": 1}
    assert found.accuracy.top1 == pytest.approx(2 / 3)
    assert told == [*((done, 4, "test a") for done in range(1, 5)), (0, 1, "measure a, round 1 of 1")]
    assert found.pictures_per_second > found.samples_per_second > 0


def test_clips_of_which_none_can_be_read_are_no_top1_of_0(tmp_path, bundle, clip):
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "one.mp4").write_bytes(b"no video")
    config = NetworksConfig(data=tmp_path, source=clip, rounds=1, seconds=0.1, threads=1)
    with pytest.raises(DatasetError, match=r"none of its 2 clips can be read: .*one\.mp4"):
        measure_networks(candidates(bundle, "a"), config, lambda *step: None)
