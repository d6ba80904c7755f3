"""What a Jetson says of itself, and what stands in a deploy's way there."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from edgecvar.deploy.facts import Done, Wanted, judge, read_answer, read_facts
from edgecvar.errors import DeviceError

PYTHON = {
    "path": "/usr/bin/python3",
    "version": [3, 10, 12],
    "machine": "aarch64",
    "venv": True,
    "tensorrt": "10.3.0",
    "tensorrt_folder": "/usr/lib/python3.10/dist-packages/tensorrt",
}
ORIN: Dict[str, Any] = {
    "user": "nvidia",
    "root": "/home/nvidia/.local/share/edgecvar",
    "machine": "aarch64",
    "model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    "release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64",
    "power": "MAXN_SUPER",
    "free": 20_000_000_000,
    "python": PYTHON,
    "nvcc": "/usr/local/cuda/bin/nvcc",
    "service": {"systemd": True, "linger": True, "active": False, "plain_path": True},
}


def test_a_jetson_in_one_line() -> None:
    facts = read_facts(ORIN)
    assert facts.text == (
        "Jetson Orin Nano, aarch64, JetPack 6 (L4T 36.4.3), TensorRT 10.3.0, Python 3.10, 20.0 GB free, "
        "power mode MAXN_SUPER"
    )
    judged = judge(facts, 10**9, service=True)
    assert (judged.against, judged.notes) == ([], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"free": 10**8}, "1000 MB are needed in /home/nvidia/.local/share/edgecvar, and 100 MB are free"),
        ({"held": "ann on laptop"}, "another deploy is at work there (ann on laptop)"),
        ({"service": {**ORIN["service"], "held": "bob"}}, "another deploy is at work there (bob)"),
        ({"service": {**ORIN["service"], "stranger": "x is another's"}}, "x is another's"),
        ({"python": None}, "no Python from 3.8 to 3.14 is there: name one with --python"),
        ({"python": None, "release": "# R32 (release), REVISION: 7.1"}, "sudo jetson/install-jp46.sh brings one"),
        ({"python": {**PYTHON, "venv": False}}, "sudo apt-get install python3.10-venv"),
        ({"nvcc": None}, "CUDA's nvcc is missing"),
        ({"service": {**ORIN["service"], "systemd": False, "why_not": "no bus"}}, "does not answer (no bus)"),
        ({"service": {**ORIN["service"], "plain_path": False}}, "name one with --root"),
    ],
)
def test_what_stands_in_the_way(change: Dict[str, Any], said: str) -> None:
    (against,) = judge(read_facts({**ORIN, **change}), 10**9, service=True).against
    assert said in against


def test_without_a_service_systemd_may_be_away() -> None:
    away = {"systemd": False, "linger": False, "active": False, "plain_path": False}
    assert judge(read_facts({**ORIN, "service": away}), 0, service=False).against == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"power": "15W"}, "the power mode is 15W"),
        ({"python": {**PYTHON, "tensorrt": None}}, "everything runs on the processor"),
    ],
)
def test_what_should_be_known(change: Dict[str, Any], said: str) -> None:
    (note,) = judge(read_facts({**ORIN, **change}), 0, service=True).notes
    assert said in note


@pytest.mark.parametrize("document", [None, [], {}, {**ORIN, "free": "much"}])
def test_a_device_that_talks_nonsense_is_an_error(document: Any) -> None:
    with pytest.raises(DeviceError, match="what cannot be read"):
        read_facts(document)


DONE: Dict[str, Any] = {"release": 3, "verified": {"compared": ["onnx"], "reference": "onnx fp32"}, "notes": ["x"]}


@pytest.mark.parametrize("document", [None, "no", 3, {"a": 1}, [["a"]], [None]])
def test_files_asked_for_in_nonsense_are_an_error(document: Any) -> None:
    assert read_answer(Wanted, ["a", "b"]).root == ["a", "b"]
    with pytest.raises(DeviceError, match="what cannot be read"):
        read_answer(Wanted, document)


@pytest.mark.parametrize(
    "change", [{"release": None}, {"verified": None}, {"verified": {"compared": 3}}, {"removed": "all"}, {"notes": 1}]
)
def test_an_end_in_nonsense_is_an_error(change: Dict[str, Any]) -> None:
    assert read_answer(Done, DONE).release == 3
    with pytest.raises(DeviceError, match=rf"what cannot be read \({next(iter(change))}"):
        read_answer(Done, {**DONE, **change})
