"""What `edgecvar models` says of the papers' tables is in docs/papers.md, and of networks that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.cli.report.models import paper_lines, table_cells
from edgecvar.nets.catalog import NETWORKS
from edgecvar.nets.papers.paper import Table
from edgecvar.nets.papers.shelf import PAPERS, tables_of

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "papers.md"


def test_every_table_is_of_a_network_of_the_catalog_and_of_a_paper() -> None:
    for name, paper in PAPERS.items():
        assert (name, bool(paper.tables)) == (paper.name, True)
        for table in paper.tables:
            assert table.model in NETWORKS and table.commands, table
            assert (paper, table) in tables_of(table.model)
    without = {name for name in NETWORKS if not tables_of(name) and NETWORKS[name].paper in PAPERS}
    assert without == set()


def test_the_document_has_what_the_command_prints() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = [table_cells(paper, table, True) for paper in PAPERS.values() for table in paper.tables]
    told = [line for line in lines if line.startswith(tuple(f"| {model} | " for model in NETWORKS))]
    assert told[: len(rows)] == [f"| {' | '.join(cells)} |" for cells in rows]
    differing = [line for paper in PAPERS.values() for line in paper_lines(paper)]
    assert [line for line in lines if line in differing] == differing
    assert lines.index("## Run on what is here") > lines.index(differing[-1])


def test_what_ran_is_told_from_what_was_only_rehearsed() -> None:
    command = ("edgecvar ablate ucf101/attp-table3",)
    assert Table("table 3", "attp", command).state == "dry-run alone"
    ran = Table("table 3", "attp", command, here=("synth/attp-table3",))
    assert ran.state == "run on what is here: synth/attp-table3"
    assert Table("table 2", "attp", ("edgecvar models attp",)).state == "run"
