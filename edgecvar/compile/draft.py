"""A bundle on its way: the ONNX files that are written of it, and the manifest that they make."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import onnx

from edgecvar.bundle.manifest import Bundle, Manifest, Provenance, StageFile
from edgecvar.bundle.precision import Int8Record, Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.parity import StageCheck
from edgecvar.compile.subject import Subject
from edgecvar.runners.onnx import OnnxRunner


class Draft:
    """The folder of a bundle of `subject`; `checks` grows by a precision once all of its stages are compared."""

    def __init__(self, folder: Path, subject: Subject, provenance: Provenance) -> None:
        self.stages: Sequence[StageSpec] = subject.stages
        self.checks: Dict[Precision, List[StageCheck]] = {}
        self.int8: Optional[Int8Record] = None
        self._folder = folder
        self._subject = subject
        self._provenance = provenance
        (folder / "onnx").mkdir()

    def file(self, stage: str, precision: Precision) -> Path:
        """Where a stage's file goes."""
        return self._folder / _name(stage, precision)

    def save(self, model: onnx.ModelProto, stage: str, precision: Precision) -> None:
        """Write a stage's file."""
        onnx.save(model, str(self.file(stage, precision)))

    def runner(self, precision: Precision) -> OnnxRunner:
        """The stages of one precision, compared or not, on ONNX Runtime."""
        pending = [StageCheck(spec.name, math.inf, 0.0, 0) for spec in self.stages]
        return OnnxRunner(Bundle(self._folder, self._manifest({precision: pending})), precision)

    @property
    def manifest(self) -> Manifest:
        """What has been compared so far."""
        return self._manifest(self.checks)

    def _manifest(self, checks: Dict[Precision, List[StageCheck]]) -> Manifest:
        return Manifest(
            labels=self._subject.labels,
            input=self._subject.input,
            stages=list(self.stages),
            files=[
                StageFile(
                    stage=check.stage,
                    precision=precision,
                    path=_name(check.stage, precision),
                    max_difference=check.max_difference,
                )
                for precision, of_precision in checks.items()
                for check in of_precision
            ],
            provenance=self._provenance,
            int8=self.int8,
        )


def _name(stage: str, precision: Precision) -> str:
    return f"onnx/{stage}.{precision}.onnx"
