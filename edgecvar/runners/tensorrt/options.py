"""How TensorRT builds and runs a bundle, with what a build is for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Type

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.devices import require_dla_in
from edgecvar.bundle.engines import Converter, EngineKey
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.errors import ConfigError
from edgecvar.runners.tensorrt.api import Generation, generation_of
from edgecvar.runners.tensorrt.precision import FileTyping, Typing, typing_of


class TensorRtOptions(BaseModel):
    """How TensorRT builds and runs a bundle.

    `overlap`: stages that do not wait for each other run at once; without it each launch is waited for, so that the
    stages can be timed. `dla`: the DLA core to build for. `gpu_index`: CUDA's number of the GPU. `workspace_mib`:
    scratch memory of the builder's tactics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Precision = "fp16"
    overlap: bool = True
    dla: Optional[int] = Field(None, ge=0)
    max_batch: int = Field(1, ge=1)
    converter: Converter = "onnx"
    cuda_graphs: bool = True
    gpu_index: int = Field(0, ge=0)
    workspace_mib: int = Field(512, ge=16)


@dataclass(frozen=True)
class Build:
    """What is built for: the bundle, the key of its engines and the options."""

    bundle: Bundle
    key: EngineKey
    options: TensorRtOptions

    @property
    def generation(self) -> Generation:
        return generation_of(self.key.tensorrt)

    @property
    def typing(self) -> Type[Typing]:
        return typing_of(self.generation, self.key.precision, self.key.dla)

    def file(self, stage: str) -> Path:
        """The ONNX file that a stage's engine is made of; raises BundleError where there is none."""
        return self.bundle.stage_file(stage, self.key.precision, issubclass(self.typing, FileTyping))


def check_options(version: str, options: TensorRtOptions) -> None:
    """Refuse, before anything is built, what no device can do with that TensorRT; raises ConfigError."""
    if options.dla is None:
        return
    require_dla_in(version)
    if options.precision == "fp32":
        raise ConfigError("a DLA core computes in fp16 or int8 only: ask for --precision fp16, or leave --dla out")
    if options.precision == "int8" and generation_of(version) != "11":
        raise ConfigError(
            "TensorRT before 11 cannot run explicitly quantised (Q/DQ) stages on a DLA core: "
            "ask for --precision fp16, or leave --dla out"
        )
    if options.max_batch != 1:
        raise ConfigError(f"a DLA core wants one fixed batch size: {options.max_batch} asked for, 1 is possible")
