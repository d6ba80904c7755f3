"""`edgecvar eval`: how often a bundle is right on class folders."""

from __future__ import annotations

from typing import Any

import click

from edgecvar.cli.runner_flags import runner_flags


@click.command("eval")
@click.argument("bundle", type=click.Path())
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option("--match", metavar="REGEX", help="Only clips whose file name contains this regular expression.")
@click.option("--every", type=int, metavar="K", help="Sample every K-th picture; the bundle's stride unless given.")
@click.option("--jobs", type=int, metavar="N", help="Processes; as many as there are cores unless given.")
@runner_flags
def command(**options: Any) -> None:
    """Run BUNDLE on every clip of DIR/<label>/ and count: top-1, each class, confusions, clips that cannot be read.

    A clip's answer is the mean of the scores of all its sampled pictures.
    """
    from edgecvar.run.evaluate import EvalConfig
    from edgecvar.run.job import configured

    evaluate(configured(EvalConfig, options))


def evaluate(config: Any) -> None:
    """Evaluate and print; raises EdgecvarError."""
    import json
    import sys

    from rich.console import Console
    from rich.progress import track

    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.run.evaluate import find_clips, score_clips, tally
    from edgecvar.run.evaluation_report import evaluation_document, print_evaluation
    from edgecvar.run.job import warn_untrained

    bundle = open_bundle(config.bundle)
    labels = bundle.manifest.labels
    clips = find_clips(config.folder, labels, config.match)
    untrained = warn_untrained(bundle)
    progress = Console(stderr=True)
    scores = score_clips(bundle, clips, config)
    results = list(
        track(scores, "clips", total=len(clips), console=progress, transient=True, disable=not progress.is_terminal)
    )
    evaluation = tally(labels, results)
    if config.as_json:
        document = {"bundle": str(bundle.path), "folder": str(config.folder), **evaluation_document(evaluation)}
        click.echo(json.dumps({**document, "untrained": True} if untrained else document, ensure_ascii=False))
        return
    # A pipe has no width; rows must not be folded at a terminal's.
    width = None if sys.stdout.isatty() else 200
    print_evaluation(evaluation, Console(width=width))
    if untrained:
        click.echo("untrained weights: the figures mean nothing")
