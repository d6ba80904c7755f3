"""`edgecvar bench published`: how far predictions lie from what others measured on Jetsons."""

from __future__ import annotations

import click

from edgecvar.terminal import say_json


@click.command("published")
@click.option("--save", is_flag=True, help="Keep this fit in the package, for predictions to come.")
@click.option("--json", "as_json", is_flag=True, help="Print every line as one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as docs/measured.md has it.")
def command(save: bool, as_json: bool, markdown: bool) -> None:
    """Hold the model of `bench --for` against published latencies.

    Each is predicted by a fit on the others: without its network on any device in any size, and without its device.
    Where a line comes from is in edgecvar/predict/published/measurements.json.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    from edgecvar.bench.predicted.published import judge_published
    from edgecvar.console import Console

    session = judge_published(save)
    if as_json:
        say_json(session.model_dump())
        return
    from edgecvar.cli.report.predicted.published import print_published

    print_published(session, markdown, Console())
