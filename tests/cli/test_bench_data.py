"""`edgecvar bench data` says how fast a recipe's clips come, and leaves nothing behind."""

from __future__ import annotations

import json
import threading

import pytest

pytest.importorskip("torch", reason="the device half has no torch")
pytestmark = pytest.mark.train


@pytest.fixture
def recipe(tmp_path, moving):
    from tests.small_recipe import SMALL

    file = tmp_path / "small.yaml"
    file.write_text(SMALL + f"data: {moving}\n")
    return file


def test_batches_are_counted_warm_and_cold(edgecvar, recipe):
    """Nine clips train in batches of three, of which two are asked for; three validate."""
    code, out, err = edgecvar("bench", "data", recipe, "--batches", "2", "--rounds", "2", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["clips"], document["kept"], document["batch"], document["segments"]) == (12, 12, 4, 2)
    assert document["kept_bytes"] > 0 < document["read_clips_per_second"]
    for state in ("warm", "cold"):
        for each in document["rounds"][state]:
            assert (each["clips"], each["batches"]) == (6, 2)
            assert 0 < each["waiting"] < each["training"]
        figures = document["summary"][state]
        assert figures["clips_per_second"] > 0 and figures["step_ms"] > 0 and 0 < figures["waiting_share"] < 1
        assert len(document["rounds"][state]) == 2
    longest = document["longest"]
    assert (longest["pictures"], set(longest["cpu_seconds"])) == (26, {"sought", "read through", "decoded whole"})
    assert all(len(rounds) == 2 for rounds in longest["cpu_seconds"].values())
    assert longest["median_cpu_seconds"]["sought"] == sum(longest["cpu_seconds"]["sought"]) / 2
    assert document["machine"]["cores"]


def test_keys_of_the_recipe_can_be_set_and_nothing_is_written(edgecvar, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = edgecvar("bench", "data", recipe, "cache_gib=0", "workers=2", "--batches", "1", "--rounds", "1")
    assert code == 0, err
    assert "0 of 12 clips stay in memory, in 0 MiB" in out and "2 threads" in out
    assert "first reading" in out and "(warm)" in out and "(cold)" in out
    assert [file.name for file in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("cash_gib=0",), "unknown key 'cash_gib'"), (("data=nothing",), "nothing: no such folder or CSV")],
)
def test_what_is_wrong_is_one_line(edgecvar, recipe, arguments, said):
    code, out, err = edgecvar("bench", "data", recipe, *arguments)
    assert (code, out) == (1, "")
    assert said in err and err.count("\n") == 1


def test_interrupted_it_leaves_no_thread(edgecvar, recipe, monkeypatch):
    from edgecvar.train.objective import Objective

    def interrupted(*rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(Objective, "step", interrupted)
    code, out, _ = edgecvar("bench", "data", recipe, "workers=2", "--rounds", "1")
    assert (code, out) == (130, "")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]
