"""What GPUs can do follows from the table of devices, and is what their cores and clocks give."""

from __future__ import annotations

import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.errors import ConfigError
from edgecvar.predict.hardware import gpu_of, predicted_devices

JETSONS = [name for name in DEVICES if name not in ("dgpu", "cpu")]
CORES = {"nano": 128, "tx2": 256, "xavier-nx": 384, "agx-xavier": 512, "orin-nano": 1024, "agx-orin": 2048}
"""Of NVIDIA's data sheets."""


def test_every_jetson_has_one():
    assert list(predicted_devices()) == JETSONS


@pytest.mark.parametrize("name", JETSONS)
def test_peaks_are_the_tables(name):
    device, gpu = DEVICES[name], gpu_of(DEVICES[name])
    assert gpu.matrix["fp16"] == pytest.approx(1e3 * device.peak_fp16_tflops)
    assert gpu.bandwidth == device.bandwidth_gb_per_s
    if device.peak_int8_tops is None:
        assert "int8" not in gpu.matrix
    else:
        assert gpu.matrix["int8"] == pytest.approx(1e3 * device.peak_int8_tops)
    assert gpu.family == predicted_devices()[name]
    tensor_cores = device.sm >= 70
    assert gpu.on_tensor_cores("fp16") is tensor_cores and gpu.on_tensor_cores("int8") is tensor_cores
    assert gpu.on_tensor_cores("fp32") is (device.sm >= 80)
    # Cores do two fp16 multiply-adds in the place of one; without tensor cores that is all there is.
    assert gpu.vector["fp16"] == 2 * gpu.vector["fp32"]
    if not tensor_cores:
        assert gpu.matrix["fp16"] == pytest.approx(gpu.vector["fp16"], rel=0.01)


@pytest.mark.parametrize("name", CORES)
def test_cores_do_a_multiply_add_a_clock(name):
    gpu = gpu_of(DEVICES[name])
    assert gpu.vector["fp32"] == pytest.approx(2 * CORES[name] * gpu.clock_ghz)


def test_at_half_the_clock_there_is_half_of_it():
    gpu = gpu_of(DEVICES["agx-orin"])
    slow = gpu.scaled(0.5, 0.25)
    assert slow.clock_ghz == gpu.clock_ghz / 2 and slow.bandwidth == gpu.bandwidth / 4
    assert {name: 2 * peak for name, peak in slow.matrix.items()} == gpu.matrix
    assert {name: 2 * peak for name, peak in slow.vector.items()} == gpu.vector
    assert (slow.device, slow.family, slow.multiprocessors) == (gpu.device, gpu.family, gpu.multiprocessors)


@pytest.mark.parametrize("name", ["dgpu", "cpu"])
def test_what_is_no_one_device_is_refused_in_a_line(name):
    with pytest.raises(
        ConfigError, match=f"--for {name}: .* has no data sheet to predict from; one of nano, "
    ) as caught:
        gpu_of(DEVICES[name])
    assert "\n" not in str(caught.value)
