"""`edgecvar bench networks`: checkpoints side by side on this CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

import click

from edgecvar.terminal import say_json

if TYPE_CHECKING:
    from edgecvar.bench.networks import Candidate, NetworksConfig
    from edgecvar.compile.plan import CompilePlan
    from edgecvar.progress import Progress


@click.command("networks")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Top-1 on the clips of DIR/<label>/.")
@click.option("--match", metavar="REGEX", help="Only clips whose file name contains this regular expression.")
@click.option("--source", type=click.Path(path_type=Path), metavar="CLIP", help="What runs [default: the demo clip].")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Medians are of so many.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=5.0, show_default=True, help="Of one network a round."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of ONNX Runtime.")
@click.option("--json", "as_json", is_flag=True, help="Print every round as one JSON document.")
@click.option("--markdown", is_flag=True, help="Print the table as docs/measured.md has it.")
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

    from edgecvar.bench.networks import NetworksConfig, measure_networks
    from edgecvar.cli.report.networks import networks_document, print_networks
    from edgecvar.config import from_flags
    from edgecvar.errors import need_extra
    from edgecvar.progress import StepBar

    need_extra("train", "compiling", "torch", "onnx", "onnxscript")
    config = from_flags(NetworksConfig, options)
    with tempfile.TemporaryDirectory(prefix="edgecvar-") as folder, StepBar() as bar:
        candidates = compiled(runs, config, Path(folder), bar.show)
        session = measure_networks(candidates, config, bar.show)
    if as_json:
        say_json(networks_document(session))
    else:
        print_networks(session, markdown)


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
