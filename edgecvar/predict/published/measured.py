"""Latencies on Jetsons that others published, each with its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List, Literal, Tuple

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.precision import Precision

MEASUREMENTS = Path(__file__).with_name("measurements.json")


class Source(BaseModel):
    """Where a figure stands: a file of a repository or a page, and `what` of it was read.

    `caller`: what launched the kernels: a program, a program by CUDA graphs, or Python, whose calls take longer.
    `seen`: "page" where the figure was read in the source itself, "facts page" where only in this project's notes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = ""
    path: str = ""
    commit: str = Field(default="", pattern="^([0-9a-f]{40})?$")
    page: str = ""
    what: str
    caller: Literal["program", "graph", "python"] = "program"
    seen: Literal["page", "facts page"] = "page"

    @property
    def title(self) -> str:
        """The source in a few words, for a table."""
        return f"{self.repository} {self.path}" if self.repository else self.page


class Measured(BaseModel):
    """One published latency, of TensorRT on the GPU alone, dense: without DLA and structured sparsity.

    `network` and `input` (channels, height, width) are what `catalog.network` takes. `milliseconds`: one inference of
    the whole batch. `fit` False: only ever judged. `peak_scale`, `bandwidth_scale`: clocks of the measured board over
    those of the device's table, where they were lower. `power_mode` is empty where it was not said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    network: str
    input: Tuple[int, int, int]
    precision: Precision
    batch: int = Field(default=1, ge=1)
    milliseconds: float = Field(gt=0)
    source: Source
    transfers_included: bool
    fit: bool = True
    peak_scale: float = Field(default=1, gt=0, le=1)
    bandwidth_scale: float = Field(default=1, gt=0, le=1)
    power_mode: str = ""
    note: str = ""


def published_measurements() -> List[Measured]:
    """All published latencies, in the file's order; its rows name their sources by key."""
    read = json.loads(MEASUREMENTS.read_text(encoding="utf-8"))
    rows = [{**row, "source": read["sources"][row["source"]]} for row in read["measurements"]]
    return [Measured.model_validate(row) for row in rows]
