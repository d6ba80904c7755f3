"""`edgecvar bench machine`: a few chains of each routine, and a bundle judged by them."""

from __future__ import annotations

import json

import pytest

from edgecvar.predict.cpu import micro


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in (("FAR", 4096), ("NEAR", 4096), ("ROUNDS", 1), ("RINGS", (1,))):
        monkeypatch.setattr(micro, name, value)
    return ("bench", "machine", "--density", "0.01", "--passes", "1")


def test_it_is_measured_kept_and_judged(edgecvar, quick, bundle, tmp_path):
    code, out, err = edgecvar(*quick, "--judge", bundle, "--rounds", "1", "--json")
    assert code == 0, err
    document = json.loads(out)
    kept = tmp_path / "cache" / "edgecvar" / "machine-1.json"
    assert json.loads(kept.read_text())["routines"] == document["machine"]["routines"]
    judged = document["judged"][0]
    assert judged["measured_ms"] > 0
    assert judged["error"] == pytest.approx(judged["predicted_ms"] / judged["measured_ms"] - 1)
    assert document["errors"]["all"]["bundles"] == len(document["judged"])

    code, out, err = edgecvar("bench", "machine", "--from", kept, "--judge", bundle, "--rounds", "1")
    assert code == 0, err
    assert "blocked dense" in out
    assert "median error" in out


def test_measuring_and_showing_exclude_each_other(edgecvar, tmp_path):
    code, _, err = edgecvar("bench", "machine", "--from", tmp_path / "a", "--save", tmp_path / "b")
    assert code == 2
    assert "not both" in err


def test_a_bundle_that_is_none_ends_it_before_anything_is_measured(edgecvar, quick, tmp_path):
    code, _, err = edgecvar(*quick, "--judge", tmp_path)
    assert code == 2 or "not a bundle" in err
    assert not (tmp_path / "cache").exists()
