"""`edgecvar bench networks`: checkpoints side by side on this CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import click

if TYPE_CHECKING:
    from edgecvar.bench.networks import Candidate, NetworkFigures, NetworksConfig, NetworksSession
    from edgecvar.compile.plan import CompilePlan
    from edgecvar.progress import Progress

RATES = ("pictures/s", "sampled/s")
RIGHT = ("top-1", "parameters", "multiply-adds", *RATES)


@click.command("networks")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Top-1 on the clips of DIR/<label>/.")
@click.option("--match", metavar="REGEX", help="Only clips whose file name contains this regular expression.")
@click.option("--source", type=click.Path(path_type=Path), metavar="CLIP", help="What runs [default: the demo clip].")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Medians are of so many.")
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Of one network a round."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of ONNX Runtime.")
@click.option("--json", "as_json", is_flag=True, help="Print every round as one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as the README has it.")
def command(runs: Tuple[Path, ...], as_json: bool, markdown: bool, **options: Any) -> None:
    """Compare trained networks on this CPU.

    RUN is a run folder, whose best.pt is taken, or a checkpoint. Each is compiled to fp32 stages, tested on the clips
    of --data as `edgecvar eval` tests a bundle, and run on CLIP: pictures of the stream a second, decoding included,
    and sampled ones. The networks are measured in turn, and the medians of all rounds are shown. Parameters and
    multiply-adds are those of one decision at the network's own size with nothing kept from the picture before.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: one or the other")
    if options["match"] is not None and options["data"] is None:
        raise click.UsageError("--match chooses among the clips of --data, which is missing")
    import tempfile

    from rich.console import Console

    from edgecvar.bench.networks import NetworksConfig, measure_networks
    from edgecvar.cli.compile import StepBar
    from edgecvar.config import from_flags
    from edgecvar.errors import need_extra

    need_extra("train", "compiling", "torch", "onnx", "onnxscript")
    config = from_flags(NetworksConfig, options)
    with tempfile.TemporaryDirectory(prefix="edgecvar-") as folder, StepBar(Console(stderr=True)) as bar:
        candidates = compiled(runs, config, Path(folder), bar.show)
        session = measure_networks(candidates, config, bar.show)
    if as_json:
        import json

        click.echo(json.dumps(_document(session), ensure_ascii=False))
    else:
        _print(session, markdown)


def compiled(runs: Sequence[Path], config: NetworksConfig, folder: Path, progress: Progress) -> List[Candidate]:
    """The networks of `runs` as fp32 bundles in `folder`; raises EdgecvarError, before any is made where it can."""
    from edgecvar.bench.networks import Candidate
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.nets.cost.complexity import describe_network

    plans = [_plan(run, config, folder / f"{number}.edgecvar") for number, run in enumerate(runs)]
    names = _names(runs, [plan.subject.model for plan in plans])
    candidates = []
    for number, (name, plan) in enumerate(zip(names, plans)):
        progress(number, len(plans), f"compile {name}")
        subject = plan.subject
        cost = describe_network(subject.network, subject.input.gop_length)
        bundle = compile_bundle(plan).bundle
        candidates.append(Candidate(name, _checkpoint_of(runs[number]), bundle, cost.parameters, cost.multiply_adds))
    return candidates


def _plan(run: Path, config: NetworksConfig, target: Path) -> CompilePlan:
    """How a run becomes a bundle; raises where its network cannot be tested on the clips that are to test it."""
    from edgecvar.compile.config import CompileConfig
    from edgecvar.compile.plan import plan_compilation
    from edgecvar.judge.evaluate import find_clips

    fp32 = CompileConfig(checkpoint=_checkpoint_of(run), precision=frozenset({"fp32"}), output=target)
    plan = plan_compilation(fp32)
    if config.data is not None:
        find_clips(config.data, plan.subject.labels, config.match)
    return plan


def _checkpoint_of(run: Path) -> Path:
    from edgecvar.train.checkpoint import BEST

    return run / BEST if run.is_dir() else run


def _names(runs: Sequence[Path], models: Sequence[str]) -> List[str]:
    """Each network by its model, and by its run too where several are of one model; raises ConfigError."""
    from edgecvar.errors import ConfigError

    names = [f"{model} ({run})" if models.count(model) > 1 else model for run, model in zip(runs, models)]
    for name, run in zip(names, runs):
        if names.count(name) > 1:
            raise ConfigError(f"{run}: given twice")
    return names


def _print(session: NetworksSession, as_markdown: bool) -> None:
    from edgecvar.cli.report.tables import markdown, print_table

    columns = ["network", "size", *(column for column in RIGHT if column != "top-1" or session.data is not None)]
    rows = [_cells(each) for each in session.networks]
    if as_markdown:
        click.echo(markdown(columns, rows, RIGHT))
        return
    print_table(columns, rows, RIGHT)
    width, height = session.source_size
    rounds = len(session.networks[0].rounds)
    click.echo(
        f"{session.source}: {width} x {height}, {session.source_fps:.4g} pictures/s; {session.runner}; "
        f"medians of {rounds} rounds of {session.seconds:g} s, decoding included"
    )
    click.echo("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    for each in session.networks:
        if each.accuracy is not None and (each.accuracy.undecided or each.accuracy.unreadable):
            click.echo(
                f"{each.name}: {each.accuracy.undecided} clips without a decision, counted as wrong; "
                f"{each.accuracy.unreadable} unreadable, not counted"
            )


def _cells(figures: NetworkFigures) -> List[str]:
    from edgecvar.cli.report.tables import amount

    return [
        figures.name,
        f"{figures.height} x {figures.width}",
        *([] if figures.accuracy is None else [f"{100 * figures.accuracy.top1:.1f} %"]),
        amount(figures.parameters),
        amount(figures.multiply_adds),
        f"{figures.pictures_per_second:.0f}",
        f"{figures.samples_per_second:.0f}",
    ]


def _document(session: NetworksSession) -> Dict[str, Any]:
    """Every round, and what they come to."""
    document = session.model_dump()
    for entry, each in zip(document["networks"], session.networks):
        entry["top1"] = None if each.accuracy is None else round(each.accuracy.top1, 6)
        entry["pictures_per_second"] = each.pictures_per_second
        entry["samples_per_second"] = each.samples_per_second
    return document
