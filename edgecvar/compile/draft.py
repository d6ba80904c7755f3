"""A bundle on its way: the ONNX files that are written of it, and the manifest that they make."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import onnx

from edgecvar.bundle.exits import ExitRecord
from edgecvar.bundle.manifest import Bundle, Manifest, Provenance, StageFile
from edgecvar.bundle.precision import Int8Record, Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.parity import StageCheck
from edgecvar.compile.subject import Subject
from edgecvar.runners.onnx import OnnxRunner


class Draft:
    """The folder of a bundle of `subject`; `checks` grows by a precision once all of its stages are compared.

    `typed`: those of the strongly typed int8 stages.
    """

    def __init__(self, folder: Path, subject: Subject, provenance: Provenance) -> None:
        self.stages: Sequence[StageSpec] = subject.stages
        self.input = subject.input
        self.checks: Dict[Precision, List[StageCheck]] = {}
        self.typed: List[StageCheck] = []
        self.int8: Optional[Int8Record] = None
        self.exits: Optional[ExitRecord] = None
        self._folder = folder
        self._subject = subject
        self._provenance = provenance
        (folder / "onnx").mkdir()

    def file(self, stage: str, precision: Precision, strongly_typed: bool = False) -> Path:
        """Where a stage's file goes."""
        return self._folder / _name(stage, precision, strongly_typed)

    def save(self, model: onnx.ModelProto, stage: str, precision: Precision, strongly_typed: bool = False) -> None:
        """Write a stage's file."""
        onnx.save(model, str(self.file(stage, precision, strongly_typed)))

    def runner(self, precision: Precision, strongly_typed: bool = False) -> OnnxRunner:
        """The stages of one precision, compared or not, on ONNX Runtime."""
        pending = [StageCheck(spec.name, math.inf, 0.0, 0) for spec in self.stages]
        manifest = self._manifest({(precision, strongly_typed): pending})
        # Where scales are fp16, ONNX Runtime 1.31 takes a Clip for done by the quantisation behind it, and is wrong.
        return OnnxRunner(Bundle(self._folder, manifest), precision, as_written=strongly_typed)

    @property
    def manifest(self) -> Manifest:
        """What has been compared so far."""
        compared = {(precision, False): checks for precision, checks in self.checks.items()}
        return self._manifest({**compared, ("int8", True): self.typed})

    def _manifest(self, compared: Mapping[Tuple[Precision, bool], Sequence[StageCheck]]) -> Manifest:
        return Manifest(
            labels=self._subject.labels,
            input=self._subject.input,
            stages=list(self.stages),
            files=[
                StageFile(
                    stage=check.stage,
                    precision=precision,
                    strongly_typed=typed,
                    path=_name(check.stage, precision, typed),
                    max_difference=check.max_difference,
                )
                for (precision, typed), checks in compared.items()
                for check in checks
            ],
            provenance=self._provenance,
            int8=self.int8,
            exits=self.exits,
        )


def _name(stage: str, precision: Precision, strongly_typed: bool) -> str:
    return f"onnx/{stage}.{precision}{'-typed' if strongly_typed else ''}.onnx"
