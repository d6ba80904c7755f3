"""Which pool does the work: processes here, or a cluster where one is named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Optional

from edgecvar.runners.onnx import usable_cores
from edgecvar.scan.cluster import RayPool
from edgecvar.scan.pool import LocalPool, Pool


@contextmanager
def opened_pool(ray: Optional[str], workers: Optional[int] = None, gpus: int = 0) -> Iterator[Pool]:
    """A pool of `workers`, by default one a core; a Ray cluster's where an address is given. Raises ConfigError.

    `gpus`: those that each task of a cluster has to itself.
    """
    if ray is None:
        yield LocalPool(workers or usable_cores())
        return
    with RayPool(ray, workers, gpus) as pool:
        yield pool
