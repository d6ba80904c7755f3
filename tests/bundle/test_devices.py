"""The device table holds together, says no with a way out, and knows a Jetson by what its files say."""

from __future__ import annotations

import pytest

from edgecvar.bundle.devices import (
    DEVICES,
    detect_device,
    find_device,
    l4t_release,
    require_dla,
    require_dla_in,
    require_precision,
)
from edgecvar.bundle.precision import PRECISIONS
from edgecvar.errors import ConfigError

JETSONS = [device for device in DEVICES.values() if device.jetpack]
RELEASE = "# R{} (release), REVISION: {}, GCID: 1, BOARD: {}, EABI: aarch64, DATE: Fri Jan 17 2025\n"


def version(text):
    return tuple(int(part) for part in text.split("."))


@pytest.fixture
def board(tmp_path):
    """Writes what a board's two files say and gives their paths; None leaves a file out."""

    def write(model=None, release=None):
        paths = tmp_path / "model", tmp_path / "nv_tegra_release"
        for path, text in zip(paths, (model, release)):
            if text is not None:
                path.write_bytes(text.encode())
        return paths

    return write


def test_ten_devices_and_what_the_embedded_ones_have():
    assert list(DEVICES) == [
        "nano", "tx2", "xavier-nx", "agx-xavier", "orin-nano", "orin-nx", "agx-orin", "thor", "dgpu", "cpu",
    ]  # fmt: skip
    assert {device.name: device.sm for device in JETSONS} == {
        "nano": 53, "tx2": 62, "xavier-nx": 72, "agx-xavier": 72, "orin-nano": 87, "orin-nx": 87, "agx-orin": 87,
        "thor": 110,
    }  # fmt: skip
    assert {device.name for device in DEVICES.values() if device.dla_cores} == {
        "xavier-nx", "agx-xavier", "orin-nx", "agx-orin",
    }  # fmt: skip


@pytest.mark.parametrize("device", DEVICES.values(), ids=list(DEVICES))
def test_a_row_is_consistent(device):
    assert set(device.casts) <= set(device.precisions) <= set(PRECISIONS) and device.precisions[0] == "fp32"
    assert (device.peak_int8_tops is None) or "int8" in device.precisions
    for first, last in filter(None, (device.jetpack, device.cuda, device.tensorrt, device.python)):
        assert version(first) <= version(last)
    if device.jetpack:
        assert None not in (device.sm, device.cuda, device.tensorrt, device.python, device.peak_fp16_tflops)
        assert None not in (device.bandwidth_gb_per_s, device.memory_gb)
    assert (device.tensorrt is not None) == (device.name != "cpu")


@pytest.mark.parametrize("name", ["tx2", "nano"])
def test_int8_is_refused_with_the_reason_and_what_to_ask_for(name):
    with pytest.raises(ConfigError, match=f"--precision int8 for {name}: .*has no INT8 path.*--precision fp16"):
        require_precision(find_device(name), "int8")
    require_precision(find_device(name), "fp16")


def test_every_other_device_takes_every_precision():
    for device in DEVICES.values():
        for precision in device.precisions:
            require_precision(device, precision)
    assert [name for name, device in DEVICES.items() if len(device.precisions) < 3] == ["nano", "tx2"]
    assert find_device("cpu").casts == ("fp16",)


def test_dla_cores_are_counted():
    require_dla(find_device("agx-orin"), 1)
    with pytest.raises(ConfigError, match="cores 0 to 1"):
        require_dla(find_device("agx-orin"), 2)
    with pytest.raises(ConfigError, match=r"Jetson Orin Nano has no DLA .*agx-orin.*leave --dla out"):
        require_dla(find_device("orin-nano"), 0)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="unknown device 'orin-nanno': did you mean 'orin-nano'"):
        find_device("orin-nanno")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("NVIDIA Jetson Nano Developer Kit", "nano"),
        ("NVIDIA Jetson Nano 2GB Developer Kit", "nano"),
        ("quill", "tx2"),
        ("NVIDIA Jetson TX2 Developer Kit", "tx2"),
        ("NVIDIA Jetson TX2 NX Developer Kit", "tx2"),
        ("Jetson-AGX", "agx-xavier"),
        ("NVIDIA Jetson AGX Xavier Developer Kit", "agx-xavier"),
        ("NVIDIA Jetson Xavier NX Developer Kit", "xavier-nx"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "agx-orin"),
        ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit", "orin-nx"),
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "orin-nano"),
        ("NVIDIA Jetson AGX Thor Developer Kit", "thor"),
    ],
)
def test_a_jetson_is_known_by_its_device_tree(board, model, name):
    assert detect_device(*board(model + "\0", RELEASE.format(36, "4.3", "generic"))).name == name


@pytest.mark.parametrize("model", [None, "Raspberry Pi 5 Model B Rev 1.0\0", "QEMU Virtual Machine"])
def test_elsewhere_it_is_the_cpu(board, model):
    assert detect_device(*board(model)).name == "cpu"


@pytest.mark.parametrize(
    ("model", "release"),
    [
        ("Somebody's Carrier Board\0", RELEASE.format(36, "4.3", "generic")),
        (None, RELEASE.format(32, "7.1", "t186ref")),
        ("NVIDIA Jetson Something New\0", None),
    ],
)
def test_a_jetson_that_is_not_in_the_table_must_be_named(board, model, release):
    with pytest.raises(ConfigError, match=r"this is a Jetson.*--device .*agx-orin"):
        detect_device(*board(model, release))


def test_the_release_of_jetson_linux(board, tmp_path):
    _, release = board(release=RELEASE.format(35, "4.1", "t186ref"))
    assert l4t_release(release) == "35.4.1"
    assert l4t_release(tmp_path / "absent") is None


def test_dla_went_with_10_8_and_came_back_with_11_4_1():
    for version in ("8.5.2.2", "10.3.0.26", "10.7.0", "11.4.1.62", "12.0.0"):
        require_dla_in(version)
    for version in ("10.8.0.43", "10.16.1.11", "11.0.0.2", "11.4.0.106"):
        with pytest.raises(ConfigError, match=r"10\.7 was the last that had, and 11\.4\.1 has it again"):
            require_dla_in(version)
