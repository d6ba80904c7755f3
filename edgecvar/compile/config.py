"""What may be asked of a compilation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, FrozenSet, Optional

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.engines import Converter
from edgecvar.bundle.precision import Precision
from edgecvar.clips.spec import InputSpec
from edgecvar.runners.choice import LARGEST_BATCH


class CompileConfig(BaseModel):
    """What to compile, and into what.

    Without `checkpoint` it is the newest run of `model` under `runs`; `untrained` takes random weights instead, for
    `classes` classes with the `network` and `input` options. `data`: a clip, or a folder with clips, for the parity
    check and, a folder then, for int8. `output`: the bundle's folder, by default MODEL.edgecvar here.
    `precision`: what to make beside fp32, which is always made; by default all that `device` has. `max_drop`: the
    largest share of decisions, in percent, that int8 may change; None for every layer in int8 whatever it costs.
    `fastest_on`: the device that int8 is to be fastest on, by prediction; without it the fewest layers stay fp16.
    `search_samples`: sampled pictures that int8 is judged by. `keep_fp32`: layers that fp16 stages keep in fp32, as
    STAGE:LAYER. `engines`: also build TensorRT's engines, on this machine, by `converter` and for the DLA core `dla`.
    `exit_drop`: points of accuracy that early exits may lose; `exit_confidence`: how sure they must be, chosen unless
    given on the run's clips that validate, or on the class folders of `exit_data`.
    `max_batch`: samples that stages are checked with at once, and engines are built for; ONNX takes any number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Optional[str] = None
    checkpoint: Optional[Path] = None
    untrained: bool = False
    classes: int = Field(default=51, ge=1, le=100_000)
    network: Dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec.model_validate({})
    data: Optional[Path] = None
    output: Optional[Path] = None
    runs: Path = Path("runs")
    device: Optional[str] = None
    precision: Optional[FrozenSet[Precision]] = None
    max_drop: Optional[float] = Field(default=0.5, ge=0, le=100)
    fastest_on: Optional[str] = None
    search_samples: int = Field(default=512, ge=1)
    keep_fp32: FrozenSet[str] = frozenset()
    engines: bool = False
    converter: Converter = "onnx"
    dla: Optional[int] = Field(default=None, ge=0)
    exit_drop: float = Field(default=1.0, ge=0, le=100)
    exit_confidence: Optional[float] = Field(default=None, ge=0, le=1)
    exit_data: Optional[Path] = None
    max_batch: int = Field(default=1, ge=1, le=LARGEST_BATCH)
