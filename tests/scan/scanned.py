"""A scan in this process, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence

import pyarrow.parquet as pq

from edgecvar.bundle.manifest import open_bundle
from edgecvar.scan.scanning import ScanSummary, scan
from edgecvar.scan.settings import ScanConfig
from edgecvar.scan.sources import find_listed
from tests.scan.here import HerePool


def scanned(
    bundle: Path, sources: Sequence[Any], output: Path, pool: Optional[Any] = None, **settings: Any
) -> Optional[ScanSummary]:
    config = ScanConfig(sources=[str(each) for each in sources], output=output, **settings)
    return scan(config, open_bundle(bundle), find_listed(config.sources), pool or HerePool())


def rows(output: Path) -> List[Any]:
    return pq.read_table(output).to_pylist()


def listing(output: Path) -> List[Any]:
    return pq.read_table(output.with_name(f"{output.stem}.sources.parquet")).to_pylist()
