"""`edgecvar models`: the networks, what they cost, and the papers' figures beside the counted ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import click

from edgecvar.cli.report.tables import amount, print_table
from edgecvar.cli.report.tables import markdown as as_markdown
from edgecvar.errors import need_extra

if TYPE_CHECKING:
    from edgecvar.nets.cost.survey import CountedFigure, ModelSurvey

SHORT = {"image": "I", "motion": "MV", "residual": "R", "frame": "RGB"}
"""The papers' letters for the prepared inputs."""

COLUMNS = ("model", "paper", "inputs", "size", "parameters", "multiply-adds", "stages", "verified by tests")
FIGURE_COLUMNS = ("model", "figure", "where", "paper", "counted", "difference")
RIGHT = ("parameters", "multiply-adds", "counted")
WRAPS = ("stages", "verified by tests", "difference", "figure")


@click.command("models", short_help="List the networks: paper, inputs, cost, stages, what is verified.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the tables of the README.")
def command(names: Tuple[str, ...], as_json: bool, markdown: bool) -> None:
    """List the networks, or those named: paper, inputs, parameters, multiply-adds, stages, what is verified.

    Counts are made on the modules, at the paper's input size and for one sampled picture, or one clip, with nothing
    kept from the picture before. The second table holds each figure that a paper prints against the counted one.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    surveys = _surveys(names)
    if as_json:
        import json

        click.echo(json.dumps({"models": [_document(survey) for survey in surveys]}, ensure_ascii=False))
    elif markdown:
        click.echo(as_markdown(COLUMNS, [_cells(survey) for survey in surveys], RIGHT))
        click.echo()
        click.echo(as_markdown(FIGURE_COLUMNS, _figure_rows(surveys), RIGHT))
    else:
        print_table(COLUMNS, [_cells(survey) for survey in surveys], RIGHT, WRAPS)
        click.echo()
        print_table(FIGURE_COLUMNS, _figure_rows(surveys), RIGHT, WRAPS)
        click.echo()


def _surveys(names: Tuple[str, ...]) -> List[ModelSurvey]:
    need_extra("train", "counting a network", "torch")
    from edgecvar.nets.catalog import NETWORKS, find_entry
    from edgecvar.nets.cost.survey import survey_model

    for name in names:
        find_entry(name)
    return [survey_model(name) for name in names or NETWORKS]


def _document(survey: ModelSurvey) -> Dict[str, Any]:
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


def _figure_rows(surveys: List[ModelSurvey]) -> List[List[str]]:
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
