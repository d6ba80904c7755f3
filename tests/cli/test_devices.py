"""`edgecvar devices` prints the whole table within 100 columns, and marks this machine."""

from __future__ import annotations

import json

import pytest

from edgecvar.bundle import devices
from edgecvar.bundle.devices import DEVICES
from edgecvar.errors import ConfigError


def rows(out):
    return {
        line[1:].split()[0]: line
        for line in out.splitlines()
        if line[1:].split()[:1] and line[1:].split()[0] in DEVICES
    }


@pytest.mark.parametrize("columns", ["60", "100"])
def test_the_table_is_whole_and_narrow(edgecvar, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(devices, "detect_device", lambda: DEVICES["orin-nx"])
    code, out, err = edgecvar("devices")
    assert code == 0 and err == ""
    assert max(len(line) for line in out.splitlines()) <= 100 and "…" not in out
    found = rows(out)
    assert list(found) == list(DEVICES)
    assert [name for name, line in found.items() if line.startswith(">")] == ["orin-nx"]
    assert "int8" not in found["tx2"] and "int8" in found["thor"] and "fp16*" in found["cpu"]
    assert "this is orin-nx" in out


def test_the_document_has_every_field(edgecvar, monkeypatch):
    monkeypatch.setattr(devices, "detect_device", lambda: DEVICES["cpu"])
    code, out, _ = edgecvar("devices", "--json")
    document = json.loads(out)
    assert code == 0 and document["here"] == "cpu"
    tx2 = next(device for device in document["devices"] if device["name"] == "tx2")
    assert tx2["sm"] == 62 and tx2["precisions"] == ["fp32", "fp16"] and tx2["peak_int8_tops"] is None


def test_a_jetson_that_is_not_known_is_said_and_the_table_printed(edgecvar, monkeypatch):
    def unknown():
        raise ConfigError("this is a Jetson, but of no kind known here")

    monkeypatch.setattr(devices, "detect_device", unknown)
    code, out, err = edgecvar("devices")
    assert code == 0 and "this is a Jetson" in err
    assert not any(line.startswith(">") for line in rows(out).values())


def test_a_bundle_on_each_is_predicted(edgecvar, bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    code, out, err = edgecvar("devices", bundle, "--json")
    found = json.loads(out)["predictions"]
    assert code == 0 and err == ""
    assert [each["device"] for each in found] == [name for name in DEVICES if name not in ("dgpu", "cpu")]
    for each in found:
        assert each["predicted"] is True and each["cameras"] > 0 and "stages" not in each
        for name in ("sample_ms", "pictures_per_second"):
            assert each[name]["low"] <= each[name]["likely"] <= each[name]["high"]
    code, out, _ = edgecvar("devices", bundle, "--source", "480p camera")
    assert code == 0 and "PREDICTED, not measured" in out and "480p camera" in out
    first = [line.split(" ")[0] for line in out.splitlines()]
    assert [word for word in first if word in DEVICES] == [each["device"] for each in found]


def test_a_source_without_a_bundle_and_a_bundle_that_is_none_are_refused(edgecvar, tmp_path):
    code, _, err = edgecvar("devices", "--source", "480p camera")
    assert code != 0 and "BUNDLE" in err
    code, out, err = edgecvar("devices", tmp_path)
    assert code != 0 and out == "" and "not a bundle" in err
