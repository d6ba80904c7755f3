"""Facts about the machine: a Jetson's power mode, versions, and nothing private."""

from __future__ import annotations

import getpass
import platform
import sys

import numpy
import pytest

from edgecvar.judge import machine
from edgecvar.judge.machine import device_facts, machine_facts, package_versions, power_mode


def program(path, body):
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_power_mode_is_what_nvpmodel_says(tmp_path):
    said = "NVPM WARN: fan mode is not set!\\nNV Power Mode: MODE_15W_6CORE\\n2\\n"
    assert power_mode(program(tmp_path / "a", f"print('{said}')")) == "MODE_15W_6CORE"
    assert power_mode(program(tmp_path / "b", "raise SystemExit(1)")) is None
    assert power_mode(str(tmp_path / "nowhere")) is None


def test_nvpmodel_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "NVPMODEL_SECONDS", 0.2)
    assert power_mode(program(tmp_path / "a", "import time; time.sleep(60)")) is None


def test_a_jetson_tells_its_board_release_and_power_mode(tmp_path, monkeypatch):
    (tmp_path / "model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0")
    monkeypatch.setattr(machine, "DEVICE_TREE_MODEL", tmp_path / "model")
    monkeypatch.setattr(machine, "l4t_release", lambda: "36.4.3")
    monkeypatch.setattr(machine, "power_mode", lambda: "MAXN")
    facts = device_facts()
    assert facts["board"] == "NVIDIA Jetson Orin Nano Developer Kit"
    assert facts["jetpack"] == "L4T 36.4.3" and facts["power mode"] == "MAXN"
    monkeypatch.setattr(machine, "l4t_release", lambda: None)
    assert set(device_facts()) == {"device"}


def test_versions_are_those_of_the_modules():
    versions = package_versions()
    assert versions["numpy"] == numpy.__version__ and {"av", "onnxruntime"} <= set(versions)


@pytest.mark.parametrize("private", [platform.node(), getpass.getuser()])
def test_nothing_tells_whose_machine_it_is(private):
    facts = {**machine_facts(), **device_facts(), **package_versions()}
    assert private not in facts.values()
