"""What a device's GPU can do by its data sheet: the peaks that a layer's time is reckoned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Literal, Mapping

from edgecvar.bundle.devices import Device
from edgecvar.bundle.precision import Precision
from edgecvar.errors import ConfigError

Family = Literal["maxwell", "pascal", "volta", "ampere", "blackwell"]


@dataclass(frozen=True)
class Gpu:
    """Peaks in 10^9 operations a second, a multiply-add being two, dense and at the highest clock; GB/s.

    `matrix` is of what tensor cores do where there are any, of the cores elsewhere; `vector` of the cores alone, which
    do all else. fp32 on tensor cores is TF32, which TensorRT uses unless told not to.
    """

    device: str
    family: Family
    multiprocessors: int
    clock_ghz: float
    matrix: Mapping[Precision, float]
    vector: Mapping[Precision, float]
    bandwidth: float

    def on_tensor_cores(self, precision: Precision) -> bool:
        """Whether matrix products of a precision are done by tensor cores."""
        return self.matrix.get(precision, 0.0) > 1.5 * self.vector[precision]

    def scaled(self, clock: float = 1.0, memory: float = 1.0) -> Gpu:
        """The same at other clocks."""
        return replace(
            self,
            clock_ghz=self.clock_ghz * clock,
            matrix={kind: peak * clock for kind, peak in self.matrix.items()},
            vector={kind: peak * clock for kind, peak in self.vector.items()},
            bandwidth=self.bandwidth * memory,
        )


@dataclass(frozen=True)
class _Made:
    """How a GPU is made, by NVIDIA's technical briefs and data sheets: cores of a multiprocessor, clock."""

    family: Family
    multiprocessors: int
    cores: int
    clock_ghz: float


_GPUS: Dict[str, _Made] = {
    "nano": _Made("maxwell", 1, 128, 0.9216),
    "tx2": _Made("pascal", 2, 128, 1.3),
    "xavier-nx": _Made("volta", 6, 64, 1.1),
    "agx-xavier": _Made("volta", 8, 64, 1.377),
    "orin-nano": _Made("ampere", 8, 128, 1.02),
    "orin-nx": _Made("ampere", 8, 128, 1.173),
    "agx-orin": _Made("ampere", 16, 128, 1.3),
    "thor": _Made("blackwell", 20, 128, 1.575),
}


def predicted_devices() -> Dict[str, Family]:
    """Those of the table of devices that a prediction can be made for."""
    return {name: made.family for name, made in _GPUS.items()}


def gpu_of(device: Device) -> Gpu:
    """The GPU of a Jetson; raises ConfigError for a device that is no one kind."""
    made = _GPUS.get(device.name)
    if made is None or device.peak_fp16_tflops is None or device.bandwidth_gb_per_s is None:
        names = ", ".join(_GPUS)
        raise ConfigError(
            f"--for {device.name}: {device.title} has no data sheet to predict from; one of {names}, or cpu"
        )
    full = 2 * made.multiprocessors * made.cores * made.clock_ghz
    half = 1e3 * device.peak_fp16_tflops
    tensor_cores = half > 3 * full
    # Volta's tensor cores do no TF32; later ones do it at half the rate of fp16.
    single = half / 2 if tensor_cores and made.family != "volta" else full
    matrix: Dict[Precision, float] = {"fp32": single, "fp16": half}
    if device.peak_int8_tops is not None:
        matrix["int8"] = 1e3 * device.peak_int8_tops
    vector: Dict[Precision, float] = {"fp32": full, "fp16": 2 * full, "int8": 2 * full}
    return Gpu(
        device.name,
        made.family,
        made.multiprocessors,
        made.clock_ghz,
        matrix,
        vector,
        device.bandwidth_gb_per_s,
    )
