"""`edgecvar models`: the networks, what they cost, and the papers' figures beside the counted ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Tuple

import click

from edgecvar.errors import need_extra
from edgecvar.terminal import say_json

if TYPE_CHECKING:
    from edgecvar.nets.cost.survey import ModelSurvey


@click.command("models", short_help="List the networks: paper, cost, what is verified, tables repeated.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the tables as docs/measured.md has them.")
def command(names: Tuple[str, ...], as_json: bool, markdown: bool) -> None:
    """List the networks, or those named: paper, inputs, parameters, multiply-adds, stages, what is verified.

    Counts are made on the modules, at the paper's input size and for one sampled picture, or one clip, with nothing
    kept from the picture before. The second table holds each figure that a paper prints against the counted one. The
    third has each of a paper's tables that a command repeats, with what it differs; what differs in all of them, and
    what is left out, is below. On published data a command wants data=, split.files= and the weights that the recipe's
    head names.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    surveys = _surveys(names)
    from edgecvar.cli.report.models import model_document, print_models

    if as_json:
        say_json({"models": [model_document(survey) for survey in surveys]})
    else:
        print_models(surveys, markdown)


def _surveys(names: Tuple[str, ...]) -> List[ModelSurvey]:
    need_extra("train", "counting a network", "torch")
    from edgecvar.nets.catalog import NETWORKS, find_entry
    from edgecvar.nets.cost.survey import survey_model

    for name in names:
        find_entry(name)
    return [survey_model(name) for name in names or NETWORKS]
