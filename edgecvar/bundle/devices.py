"""The devices that a bundle can be compiled for, what each can do, and which one this is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.errors import ConfigError, unknown_name

DEVICE_TREE_MODEL = Path("/proc/device-tree/model")
TEGRA_RELEASE = Path("/etc/nv_tegra_release")


@dataclass(frozen=True)
class Device:
    """One kind of device, as its data sheet and its last JetPack have it; None is unknown, or not there.

    `sm`: compute capability times ten. `jetpack`: first and last that is served here. `cuda`, `tensorrt`, `python`:
    first and last version that those bring. `precisions`: what it computes in, slowest first. `casts`: those of them
    that run through casts and gain nothing. Peaks are those of the GPU alone (no DLA), dense, at the highest clock of
    the largest module's fastest power mode, in 10^12 operations a second where a multiply-add is two; bandwidth and
    memory are that module's too.
    """

    name: str
    title: str
    sm: Optional[int] = None
    jetpack: Optional[Tuple[str, str]] = None
    cuda: Optional[Tuple[str, str]] = None
    tensorrt: Optional[Tuple[str, str]] = None
    python: Optional[Tuple[str, str]] = None
    precisions: Tuple[Precision, ...] = ("fp32", "fp16", "int8")
    casts: Tuple[Precision, ...] = ()
    dla_cores: int = 0
    peak_fp16_tflops: Optional[float] = None
    peak_int8_tops: Optional[float] = None
    bandwidth_gb_per_s: Optional[float] = None
    memory_gb: Optional[int] = None


# Sources: NVIDIA's module data sheets and technical briefs, its list of compute capabilities, and the JetPack release
# notes. Where those give a peak with sparsity or with the DLA, it is reckoned here from tensor cores (CUDA cores before
# Volta) and clock: Nano 128 cores at 0.9216 GHz, TX2 256 at 1.3, four fp16 operations a core and clock; Xavier NX 48
# tensor cores at 1.1, AGX Xavier 64 at 1.377, 128 fp16 operations each; Orin Nano 32 at 1.02, Orin NX 32 at 1.173,
# AGX Orin 64 at 1.3, 512 each; int8 is twice fp16. Thor's int8 is that printed without sparsity, its fp16 a half of
# that printed with it.
_TABLE = (
    Device(
        "nano", "Jetson Nano", 53, ("4.6", "4.6"), ("10.2", "10.2"), ("8.2", "8.2"), ("3.8", "3.8"), ("fp32", "fp16"),
        peak_fp16_tflops=0.47, bandwidth_gb_per_s=25.6, memory_gb=4,
    ),
    Device(
        "tx2", "Jetson TX2", 62, ("4.6", "4.6"), ("10.2", "10.2"), ("8.2", "8.2"), ("3.8", "3.8"), ("fp32", "fp16"),
        peak_fp16_tflops=1.33, bandwidth_gb_per_s=59.7, memory_gb=8,
    ),
    Device(
        "xavier-nx", "Jetson Xavier NX", 72, ("5.1", "5.1"), ("11.4", "11.4"), ("8.5", "8.5"), ("3.8", "3.8"),
        dla_cores=2, peak_fp16_tflops=6.8, peak_int8_tops=13.5, bandwidth_gb_per_s=59.7, memory_gb=16,
    ),
    Device(
        "agx-xavier", "Jetson AGX Xavier", 72, ("5.1", "5.1"), ("11.4", "11.4"), ("8.5", "8.5"), ("3.8", "3.8"),
        dla_cores=2, peak_fp16_tflops=11.3, peak_int8_tops=22.6, bandwidth_gb_per_s=136.5, memory_gb=64,
    ),
    Device(
        "orin-nano", "Jetson Orin Nano", 87, ("6.0", "7.2"), ("12.2", "13.2"), ("8.6", "10.16"), ("3.10", "3.12"),
        peak_fp16_tflops=16.7, peak_int8_tops=33.4, bandwidth_gb_per_s=102.4, memory_gb=8,
    ),
    Device(
        "orin-nx", "Jetson Orin NX", 87, ("6.0", "7.2"), ("12.2", "13.2"), ("8.6", "10.16"), ("3.10", "3.12"),
        dla_cores=2, peak_fp16_tflops=19.2, peak_int8_tops=38.4, bandwidth_gb_per_s=102.4, memory_gb=16,
    ),
    Device(
        "agx-orin", "Jetson AGX Orin", 87, ("6.0", "7.2"), ("12.2", "13.2"), ("8.6", "10.16"), ("3.10", "3.12"),
        dla_cores=2, peak_fp16_tflops=42.6, peak_int8_tops=85.2, bandwidth_gb_per_s=204.8, memory_gb=64,
    ),
    Device(
        "thor", "Jetson AGX Thor", 110, ("7.0", "7.2"), ("13.0", "13.2"), ("10.13", "10.16"), ("3.12", "3.12"),
        peak_fp16_tflops=258, peak_int8_tops=517, bandwidth_gb_per_s=273, memory_gb=128,
    ),
    Device("dgpu", "any NVIDIA GPU in a workstation", tensorrt=("8.5", "11")),
    Device("cpu", "any processor, on ONNX Runtime", casts=("fp16",)),
)  # fmt: skip

DLA_GAP = ((10, 8), (11, 4, 1))
"""The first TensorRT without DLA on a Jetson, and the first that has it again ("Working with DLA" of 11.4.1)."""

DEVICES: Dict[str, Device] = {device.name: device for device in _TABLE}

# What the device tree says, most telling first: a board's name holds its module's, and "quill" and "lightning" are what
# JetPack 4 calls TX2 and TX2 NX; "Jetson-AGX" is AGX Xavier there.
_MODELS = (
    (r"thor", "thor"),
    (r"orin nano", "orin-nano"),
    (r"orin nx", "orin-nx"),
    (r"agx orin", "agx-orin"),
    (r"xavier nx", "xavier-nx"),
    (r"agx xavier|^jetson-agx$|^jetson-xavier$", "agx-xavier"),
    (r"tx2|^quill$|^lightning$", "tx2"),
    (r"jetson nano|^jetson-nano$", "nano"),
)


def find_device(name: str) -> Device:
    """The device of that name; ConfigError with the nearest one otherwise."""
    if name not in DEVICES:
        bare = re.sub(r"^(nvidia)?[-_ ]*(jetson)?[-_ ]*", "", name.lower())
        raise unknown_name("device", name, [bare] if bare in DEVICES else DEVICES)
    return DEVICES[name]


def detect_device(model: Path = DEVICE_TREE_MODEL, release: Path = TEGRA_RELEASE) -> Device:
    """The Jetson that this is, by device tree and L4T release; `cpu` elsewhere.

    Raises ConfigError on a Jetson that is not in the table, or whose board does not tell which module it carries.
    """
    return device_that_says(_read(model), l4t_release(release))


def device_that_says(model: str, l4t: Optional[str]) -> Device:
    """The device whose device tree and release those are; raises as `detect_device` does."""
    text = model.replace("\0", " ").strip()
    for pattern, name in _MODELS:
        if re.search(pattern, text.lower()):
            return DEVICES[name]
    if l4t is None and "jetson" not in text.lower():
        return DEVICES["cpu"]
    raise ConfigError(
        f"this is a Jetson{f' (L4T {l4t})' if l4t else ''}, but its device tree says {text or 'nothing'!r}, which is "
        f"none of the devices known here: name it with --device ({', '.join(DEVICES)})"
    )


def l4t_release(release: Path = TEGRA_RELEASE) -> Optional[str]:
    """Release of Jetson Linux, such as "36.4.3" (32: JetPack 4, 35: 5, 36: 6, 38 and 39: 7); None elsewhere."""
    return l4t_that_says(_read(release))


def l4t_that_says(text: str) -> Optional[str]:
    """The release that the text of nv_tegra_release names; None where it names none."""
    match = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return f"{match.group(1)}.{match.group(2)}" if match else None


def require_precision(device: Device, precision: Precision) -> None:
    """Raises ConfigError, with what to ask for instead, when the device has no path for that precision."""
    if precision not in device.precisions:
        raise ConfigError(
            f"--precision {precision} for {device.name}: {device.title} (sm {device.sm}) has no "
            f"{precision.upper()} path in TensorRT; use --precision {device.precisions[-1]}"
        )


def require_dla(device: Device, core: int) -> None:
    """Raises ConfigError, with what to ask for instead, when the device has no DLA core of that number."""
    if device.dla_cores == 0:
        having = ", ".join(other.name for other in _TABLE if other.dla_cores)
        raise ConfigError(f"--dla {core}: {device.title} has no DLA ({having} have); leave --dla out")
    if not 0 <= core < device.dla_cores:
        raise ConfigError(f"--dla {core}: {device.title} has DLA cores 0 to {device.dla_cores - 1}; use one of them")


def require_dla_in(tensorrt: str) -> None:
    """Raises ConfigError, with what to ask for instead, when that version of TensorRT runs nothing on a DLA.

    Which device it still runs one on is for `Builder.num_DLA_cores` to say: from 11.4.1 on AGX Orin alone.
    """
    version = tuple(int(digits) for digits in re.findall(r"\d+", tensorrt)[:3])
    if DLA_GAP[0] <= version < DLA_GAP[1]:
        raise ConfigError(
            f"TensorRT {tensorrt} has no DLA: 10.7 was the last that had, and 11.4.1 has it again, for AGX Orin on "
            "JetPack 7.2.2; leave --dla out"
        )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
