"""All papers by name."""

from __future__ import annotations

from typing import Dict, Tuple

from edgecvar.nets.papers import attp, cmr, coviar, dmc, meaci, team
from edgecvar.nets.papers.paper import Paper, Table

PAPERS: Dict[str, Paper] = {each.PAPER.name: each.PAPER for each in (attp, team, dmc, coviar, meaci, cmr)}
"""In the order of the catalog."""


def tables_of(model: str) -> Tuple[Tuple[Paper, Table], ...]:
    """What commands repeat of the network `model`, each with its paper."""
    return tuple((paper, table) for paper in PAPERS.values() for table in paper.tables if table.model == model)
