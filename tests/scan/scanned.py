"""A scan in this process, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

import pyarrow.parquet as pq

from edgecvar.bundle.manifest import open_bundle
from edgecvar.scan.scanning import ScanSummary, scan
from edgecvar.scan.settings import ScanConfig
from edgecvar.scan.sources import find_listed


class HerePool:
    """Does every job in this process, and lets `spoil` put another result in its place."""

    def __init__(self, spoil: Callable[[Any, Any], Any] = lambda job, result: result) -> None:
        self.workers = 1
        self.jobs: List[Any] = []
        self._spoil = spoil

    def each(self, work, jobs, enter):
        enter(lambda: False)
        for job in jobs:
            self.jobs.append(job)
            yield job, self._spoil(job, work(job))


def scanned(
    bundle: Path, sources: Sequence[Any], output: Path, pool: Optional[Any] = None, **settings: Any
) -> Optional[ScanSummary]:
    config = ScanConfig(sources=[str(each) for each in sources], output=output, **settings)
    return scan(config, open_bundle(bundle), find_listed(config.sources), pool or HerePool())


def rows(output: Path) -> List[Any]:
    return pq.read_table(output).to_pylist()


def listing(output: Path) -> List[Any]:
    return pq.read_table(output.with_name(f"{output.stem}.sources.parquet")).to_pylist()
