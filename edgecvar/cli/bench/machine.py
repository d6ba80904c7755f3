"""`edgecvar bench machine`: what this machine's own engine reaches, measured for predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import click

from edgecvar.cli.flags import trust_flag
from edgecvar.terminal import say, say_json


@click.command("machine")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Of a stage.")
@click.option("--density", type=click.FloatRange(0.01, 4), default=1.0, show_default=True, help="Sizes of a routine.")
@click.option("--passes", type=click.IntRange(1, 20), default=2, show_default=True, help="The best of them counts.")
@click.option("--save", type=click.Path(path_type=Path), help="Where it goes [default: the user's cache].")
@click.option("--from", "saved", type=click.Path(path_type=Path), help="A saved machine instead of measuring.")
@click.option(
    "--judge", "bundles", type=click.Path(path_type=Path), multiple=True, metavar="BUNDLE", help="Predict and measure."
)
@trust_flag
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Of what is judged.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document.")
def command(
    threads: int,
    density: float,
    passes: int,
    save: Optional[Path],
    saved: Optional[Path],
    bundles: Tuple[Path, ...],
    trust: Optional[Path],
    rounds: int,
    as_json: bool,
) -> None:
    """Measure what ONNX Runtime's kernels take on this machine, for `edgecvar bench --for cpu`.

    Small chains of one kernel after another over a spread of sizes, some two minutes of them; no network takes part.
    With --judge, which can be given again and again, the stage calls of a bundle are measured as well and shown beside
    what the machine predicts of them.
    """
    from edgecvar.bench.machine import MachineReport, judge_machine
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.judge.machine import machine_facts
    from edgecvar.predict.cpu.measure import load_machine, machine_file, measure_machine, save_machine
    from edgecvar.progress import StepBar

    if saved is not None and save is not None:
        raise click.UsageError("give --save to keep what is measured or --from to take what was, not both")
    opened = [open_bundle(path, trust) for path in bundles]
    with StepBar() as bar:
        if saved is not None:
            machine = load_machine(saved)
        else:
            machine = measure_machine(machine_facts()["processor"], threads, density, passes, bar.show)
            save_machine(machine, save or machine_file(threads))
        report = judge_machine(machine, opened, rounds, bar.show) if opened else MachineReport(machine=machine)
    if as_json:
        from edgecvar.cli.report.machine import machine_document

        say_json(machine_document(report))
    else:
        from edgecvar.cli.report.machine import print_machine
        from edgecvar.console import Console

        print_machine(report, Console())
    if saved is None:
        say(f"machine saved: {save or machine_file(threads)}", err=True)
