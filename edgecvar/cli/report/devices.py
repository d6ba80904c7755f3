"""The table of devices that a bundle can be compiled for."""

from __future__ import annotations

from typing import Optional, Tuple, Union

from rich.table import Table
from rich.text import Text

from edgecvar.bundle.devices import DEVICES, Device
from edgecvar.console import Console
from edgecvar.terminal import say

WIDTH = 100
"""Columns that the table wants at most."""


def print_devices(here: str) -> None:
    """The table, the device called `here` marked."""
    table = Table(padding=(0, 1), collapse_padding=True, pad_edge=False, box=None)
    for column in ("", "name", "sm", "JetPack", "CUDA", "TensorRT", "precisions", "DLA"):
        table.add_column(column, no_wrap=True)
    for column in ("fp16\nTFLOPS", "int8\nTOPS", "memory\nGB/s", "\nGB"):
        table.add_column(Text(column), justify="right", no_wrap=True)
    for device in DEVICES.values():
        style = "bold" if device.name == here else None
        table.add_row(">" if device.name == here else "", device.name, *_cells(device), style=style)
    console = Console()
    # A narrow terminal breaks the lines; rich would leave figures out.
    console.width = max(console.width, WIDTH)
    console.print(table)
    say("DLA: with TensorRT up to 10.7 (JetPack 6); with 11.4.1 and later on agx-orin alone (JetPack 7.2.2)")
    casts = ", ".join(f"{name}: {kind}" for name, kind in _casts())
    say(f"* runs through casts, no faster than fp32 ({casts})" + (f"; this is {here}" if here else ""))


def _casts() -> Tuple[Tuple[str, str], ...]:
    return tuple((device.name, kind) for device in DEVICES.values() for kind in device.casts)


def _cells(device: Device) -> Tuple[str, ...]:
    return (
        _figure(device.sm),
        _range(device.jetpack),
        _range(device.cuda),
        _range(device.tensorrt),
        " ".join(f"{kind}*" if kind in device.casts else kind for kind in device.precisions),
        _figure(device.dla_cores or None),
        _figure(device.peak_fp16_tflops),
        _figure(device.peak_int8_tops),
        _figure(device.bandwidth_gb_per_s),
        _figure(device.memory_gb),
    )


def _range(versions: Optional[Tuple[str, str]]) -> str:
    if versions is None:
        return "-"
    first, last = versions
    return first if first == last else f"{first}-{last}"


def _figure(value: Union[int, float, None]) -> str:
    return "-" if value is None else f"{value:g}"
