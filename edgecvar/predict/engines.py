"""A bundle's stages as engines of a device would run them: which file, which types, which layers, how long."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from edgecvar.bundle.devices import Device, require_precision
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import BundleError, ConfigError, reason
from edgecvar.predict.fitted import EngineModel
from edgecvar.predict.fusion import FusionRules, fuse
from edgecvar.predict.graph import read_graph
from edgecvar.predict.hardware import Gpu, gpu_of
from edgecvar.predict.prediction import Interval, LayerTime
from edgecvar.predict.timing import Costs, time_layers
from edgecvar.predict.typing.survey import STRONG, WEAK, Typing
from edgecvar.predict.work import Layer
from edgecvar.runners.tensorrt.api import generation_of
from edgecvar.runners.tensorrt.precision import FileTyping, typing_of

LAST_PATCH = 99
"""Of a release that a table of devices names by two numbers; its first patches may be older than what is served."""
MOST = 10**14
"""Bytes and multiply-adds of a layer: what is beyond is none."""


@dataclass(frozen=True)
class Target:
    """A device, and the TensorRT that it would run with."""

    device: Device
    gpu: Gpu
    tensorrt: Tuple[int, ...]

    def typing(self, precision: Precision) -> Typing:
        """How the builder takes types, as the runner has it, in the last patch of that release."""
        generation = generation_of(".".join(str(part) for part in (*self.tensorrt, LAST_PATCH)))
        return STRONG if issubclass(typing_of(generation, precision, None), FileTyping) else WEAK

    @property
    def rules(self) -> FusionRules:
        """What its TensorRT fuses."""
        return FusionRules.of(self.tensorrt, self.device.sm or 0)


@dataclass(frozen=True)
class StageWork:
    """One stage, and its layers in the precision asked for."""

    spec: StageSpec
    layers: List[Layer]


def target_of(device: Device) -> Target:
    """With the newest TensorRT that the device's JetPacks bring; raises ConfigError for one without data sheet."""
    newest = (device.tensorrt or ("8.5", "8.5"))[1]
    return Target(device, gpu_of(device), tuple(int(part) for part in re.findall(r"\d+", newest)))


def default_precision(bundle: Bundle) -> Precision:
    """fp16, which can be counted on fp32 files too; what the bundle has where it has neither."""
    return "fp16" if "fp16" in bundle.precisions or "fp32" in bundle.precisions else bundle.precisions[0]


def stage_works(bundle: Bundle, precision: Precision, target: Target) -> List[StageWork]:
    """Every stage's layers; fp16 of a bundle that has none is counted on its fp32 files. Raises EdgecvarError."""
    require_precision(target.device, precision)
    file_precision = precision
    if precision not in bundle.precisions:
        if precision != "fp16" or "fp32" not in bundle.precisions:
            has = ", ".join(bundle.precisions)
            raise ConfigError(f"--precision {precision}: {bundle.path} has {has}; compile it with {precision}")
        file_precision = "fp32"
    strong = precision == "int8" and target.typing(precision) == "strong"
    return [
        StageWork(spec, list(layers_of(bundle.stage_file(spec.name, file_precision, strong), precision, target.rules)))
        for spec in bundle.manifest.stages
    ]


@lru_cache(maxsize=64)
def layers_of(file: Path, precision: Precision, rules: FusionRules) -> Tuple[Layer, ...]:
    """The layers of an ONNX file; raises EdgecvarError where it is none, or they cannot be counted."""
    try:
        model = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({reason(error)})") from error
    graph = read_graph(model, str(file))
    try:
        layers = tuple(fuse(graph, precision, rules))
    except (ArithmeticError, LookupError, ValueError) as error:
        raise BundleError(
            f"{file}: its layers cannot be counted ({reason(error)}); compile the bundle again"
        ) from error
    for layer in layers:
        if min(layer.places, layer.outputs) < 1 or max(layer.moved, layer.multiply_adds) > MOST:
            size = f"{layer.places} places of {layer.outputs} channels"
            raise BundleError(
                f"{file}: layer {layer.name} has {size}, expected 1 at least, and {MOST:,} bytes at most; compile the "
                f"bundle again"
            )
    return layers


def call_ms(layers: Sequence[Layer], gpu: Gpu, model: EngineModel, rows: int = 1) -> Interval:
    """One call of a stage on so many rows."""
    if not layers:
        return model.interval(0.0)
    likely = float(Costs.of(layers, gpu, rows).call_ms(model.coefficients)[0])
    factor = model.correction(gpu.device)
    return model.interval(likely * factor, depthwise_ms(layers, gpu, model, rows) * factor)


def depthwise_ms(layers: Sequence[Layer], gpu: Gpu, model: EngineModel, rows: int = 1) -> float:
    """What depthwise convolutions take of a call on a GPU without tensor cores, of which little is known; else 0."""
    hard = [layer for layer in layers if layer.kind == "depthwise"]
    if gpu.on_tensor_cores("fp16") or not hard:
        return 0.0
    return sum(each.ms for each in time_layers(hard, gpu, model.coefficients, rows))


def layer_times(layers: Sequence[Layer], gpu: Gpu, model: EngineModel, rows: int = 1) -> List[LayerTime]:
    """Each layer of a call of a stage, corrected as the call is."""
    factor = model.correction(gpu.device)
    times = time_layers(layers, gpu, model.coefficients, rows)
    return [each.model_copy(update={"ms": each.ms * factor}) for each in times]


def resized(layers: Sequence[Layer], side: float) -> List[Layer]:
    """The same layers of an input whose sides are `side` times as long: those that look at places have fewer."""
    area = side * side
    return [_of_area(layer, area) if layer.places > 1 else layer for layer in layers]


def _of_area(layer: Layer, area: float) -> Layer:
    changed: Dict[str, int] = {
        # What is none stays none: a layer without multiply-adds is reckoned otherwise.
        name: max(min(1, getattr(layer, name)), round(getattr(layer, name) * area))
        for name in ("multiply_adds", "reads", "writes", "places")
    }
    return replace(layer, **changed)  # type: ignore[arg-type]  # mypy takes every field for any of them
