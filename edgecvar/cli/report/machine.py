"""How a measured machine is shown: what each routine reaches, and predictions beside measurements."""

from __future__ import annotations

from statistics import median
from typing import Any, Dict, List

from rich.table import Table

from edgecvar.bench.machine import MachineReport
from edgecvar.console import Console
from edgecvar.predict.cpu.machine import Machine, Sample
from edgecvar.terminal import printable


def machine_document(report: MachineReport) -> Dict[str, Any]:
    """The machine, every judged bundle with its error, and the errors together, ready for JSON."""
    document = report.model_dump()
    for entry, judged in zip(document["judged"], report.judged):
        figures = {"predicted_ms": judged.predicted_ms, "measured_ms": judged.measured_ms, "error": judged.error}
        entry.update(figures)
    document["errors"] = report.errors()
    return document


def print_machine(report: MachineReport, console: Console) -> None:
    machine = report.machine
    threads = f"{machine.threads} thread{'s' * (machine.threads > 1)}"
    console.print(
        printable(f"{machine.processor}, {threads}, ONNX Runtime {machine.onnxruntime}"), style="bold", markup=False
    )
    console.print(
        f"at most {machine.gops:.0f} GFLOPS, {machine.gops_int8:.0f} GOPS in int8, {machine.gb_per_s:.0f} GB/s in "
        f"caches and {machine.gb_per_s_far:.1f} GB/s of weights from memory; weights of {machine.kept >> 20} MiB stay "
        f"near; a kernel takes {machine.floor:.2f} us at least, a call {machine.overhead:.1f} us more"
    )
    console.print(_routines(machine))
    if report.judged:
        console.print(_judged(report))
        for name, each in report.errors().items():
            console.print(
                f"{name}: median error {each['median']:.1%}, worst {each['worst']:.1%}, of {each['bundles']:.0f}"
            )
        slowest = max(report.reference_ms) / min(report.reference_ms)
        console.print(f"the reference chain took up to {slowest:.2f} times its least while this was measured")


def _routines(machine: Machine) -> Table:
    table = Table()
    table.add_column("routine")
    for column in ("sizes", "of the peak", "best", "least us", "missed by"):
        table.add_column(column, justify="right")
    for name, samples in machine.routines.items():
        shares = [each.ideal / each.near for each in samples]
        least = f"{min(each.near for each in samples):.2f}"
        missed = f"{machine.spread.get(name, 1.0) - 1:.0%}"
        table.add_row(printable(name), str(len(samples)), f"{median(shares):.0%}", _best(samples), least, missed)
    return table


def _best(samples: List[Sample]) -> str:
    return f"{min(max(each.ideal / each.near for each in samples), 1.0):.0%}"


def _judged(report: MachineReport) -> Table:
    table = Table()
    for column in ("bundle", "network", "size", "precision"):
        table.add_column(column, overflow="fold")
    for column in ("predicted ms", "measured ms", "error"):
        table.add_column(column, justify="right")
    for each in report.judged:
        table.add_row(
            printable(each.bundle),
            printable(each.model),
            f"{each.width}x{each.height}",
            each.precision,
            f"{each.predicted_ms:.2f}",
            f"{each.measured_ms:.2f}",
            f"{each.error:+.1%}",
        )
    return table
