"""The networks as tables or documents: what they cost, beside what their papers say."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from edgecvar.cli.report.tables import amount, print_markdown, print_table
from edgecvar.nets.cost.survey import CountedFigure, ModelSurvey
from edgecvar.nets.papers.paper import Paper, Table
from edgecvar.terminal import say

SHORT = {"image": "I", "motion": "MV", "residual": "R", "intra": "intra", "frame": "RGB"}
"""The papers' letters for the prepared inputs."""

COLUMNS = ("model", "paper", "inputs", "size", "parameters", "multiply-adds", "stages", "verified by tests")
FIGURE_COLUMNS = ("model", "figure", "where", "paper", "counted", "difference")
RIGHT = ("parameters", "multiply-adds", "counted")
TABLE_COLUMNS = ("model", "paper", "table", "command", "state", "differs")
WRAPS = ("stages", "verified by tests", "difference", "figure", "table", "command", "state", "differs")


def print_models(surveys: Sequence[ModelSurvey], as_markdown: bool) -> None:
    """The networks, each figure that a paper prints against the counted one, and the tables that commands repeat."""
    networks, figures = [_cells(survey) for survey in surveys], _figure_rows(surveys)
    tables = [table_cells(paper, table, as_markdown) for survey in surveys for paper, table in survey.tables]
    for columns, rows in ((COLUMNS, networks), (FIGURE_COLUMNS, figures), (TABLE_COLUMNS, tables)):
        if as_markdown:
            print_markdown(columns, rows, RIGHT)
        else:
            print_table(columns, rows, RIGHT, WRAPS)
        say()
    for paper in dict.fromkeys(paper for survey in surveys for paper, _ in survey.tables):
        for line in paper_lines(paper):
            say(line)


def table_cells(paper: Paper, table: Table, as_markdown: bool) -> List[str]:
    """A row of what commands repeat."""
    commands = [f"`{each}`" for each in table.commands] if as_markdown else list(table.commands)
    told = ("<br>" if as_markdown else "; ").join(commands)
    return [table.model, paper.name, table.where, told, table.state, table.differs]


def paper_lines(paper: Paper) -> List[str]:
    """What is so in all of a paper's tables, and what is left out."""
    lines = [f"- {paper.name}: {each}" for each in paper.differs]
    return [*lines, *([f"- {paper.name}, not repeated: {'; '.join(paper.left_out)}."] if paper.left_out else [])]


def model_document(survey: ModelSurvey) -> Dict[str, Any]:
    """One network as plain data."""
    cost = {stage.name: stage for stage in survey.cost.stages}
    stages = [
        {
            "name": stage.name,
            "cadence": stage.cadence,
            "inputs": [tensor.model_dump(exclude_defaults=True) for tensor in stage.inputs],
            "output_shape": stage.output_shape,
            "runs": cost[stage.name].runs,
            "parameters": cost[stage.name].parameters,
            "multiply_adds": cost[stage.name].multiply_adds,
        }
        for stage in survey.stages
    ]
    return {
        "model": survey.name,
        "paper": survey.entry.paper,
        "inputs": list(survey.inputs),
        "input": survey.input.model_dump(),
        "classes": survey.entry.classes,
        "parameters": survey.cost.parameters,
        "multiply_adds": survey.cost.multiply_adds,
        "stages": stages,
        "figures": [_figure_document(each) for each in survey.figures],
        "verified": list(survey.entry.verified),
        "tables": [_table_document(paper, table) for paper, table in survey.tables],
    }


def _table_document(paper: Paper, table: Table) -> Dict[str, Any]:
    return {
        "paper": paper.name,
        "where": table.where,
        "commands": list(table.commands),
        "here": list(table.here),
        "state": table.state,
        "differs": [*([table.differs] if table.differs else []), *paper.differs],
    }


def _figure_document(each: CountedFigure) -> Dict[str, Any]:
    figure = each.figure
    return {
        "name": figure.name,
        "quantity": figure.quantity,
        "where": figure.where,
        "paper": figure.value,
        "counted": each.counted,
        "tolerance": figure.tolerance,
        "holds": each.holds,
        "note": figure.note,
    }


def _cells(survey: ModelSurvey) -> List[str]:
    stages = ", ".join(f"{stage.name}{' (a GOP)' if stage.cadence == 'gop' else ''}" for stage in survey.stages)
    traced = " since I" if survey.input.accumulate else ""
    return [
        survey.name,
        survey.entry.paper,
        ", ".join(SHORT[source] + (traced if source in ("motion", "residual") else "") for source in survey.inputs),
        f"{survey.input.height} x {survey.input.width}",
        amount(survey.cost.parameters),
        amount(survey.cost.multiply_adds),
        stages,
        "; ".join(survey.entry.verified),
    ]


def _figure_rows(surveys: Sequence[ModelSurvey]) -> List[List[str]]:
    rows = []
    for survey in surveys:
        for each in survey.figures:
            figure = each.figure
            difference = f"{each.counted / figure.value - 1:+.1%}"
            if not each.holds:
                difference += f": {figure.note}" if figure.note else f", more than {figure.tolerance:.0%}"
            what = f"{figure.name}, {figure.quantity.replace('_', '-')}"
            rows.append(
                [survey.name, what, figure.where, amount(figure.value, exact=False), amount(each.counted), difference]
            )
    return rows
