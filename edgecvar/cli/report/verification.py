"""A verification as plain data, as a table, and as a block of facts to paste."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from edgecvar import __version__
from edgecvar.cli.report.device.board import clock_facts
from edgecvar.judge.comparison import TOLERANCES, Comparison
from edgecvar.judge.machine import device_facts, machine_facts, package_versions
from edgecvar.judge.parity import median_ms
from edgecvar.judge.slowest import SlowLayer
from edgecvar.judge.verify import RunnerResult, Verification
from edgecvar.terminal import printable

if TYPE_CHECKING:
    from rich.table import Table

    from edgecvar.console import Console

_COLUMNS = ("runner", "stage", "largest", "of output", "mean", "cosine", "decisions", "ms", "")


def verification_document(verification: Verification) -> Dict[str, Any]:
    """Plain data; figures that are not numbers are None. `facts` and `figures` name no host, user or file."""
    return {
        "bundle": str(verification.bundle.path),
        "passed": verification.passed,
        "reference": verification.reference.runner,
        "clips": [str(clip) for clip in verification.clips],
        "samples": verification.samples,
        "unreadable": [{"clip": str(clip), "error": error} for clip, error in verification.unreadable],
        "notes": verification.notes,
        "facts": facts(verification),
        "figures": [_result(result, verification.untrained) for result in verification.results],
    }


def _result(result: RunnerResult, untrained: bool) -> Dict[str, Any]:
    stages = [
        {"stage": run.stage, **_comparison(run.comparison), "median_ms": round(run.median_ms, 3)}
        for run in result.stages
    ]
    document: Dict[str, Any] = {"runner": result.runner, "precision": result.precision, "stages": stages}
    if result.whole is not None:
        decisions = result.whole.decisions
        document["end_to_end"] = {
            **_comparison(result.whole.comparison),
            "decisions": decisions.samples,
            "differing": decisions.differing,
            "near_ties": decisions.ties,
        }
    document["layers"] = [{name: _finite(value) for name, value in asdict(fault).items()} for fault in result.layers]
    document["slowest_layers"] = [{"stage": slow.stage, **asdict(slow.layer)} for slow in result.slowest]
    return {**document, "failures": result.failures(untrained)}


def _comparison(comparison: Comparison) -> Dict[str, Optional[float]]:
    figures = {
        "max_difference": comparison.max_difference,
        "mean_difference": comparison.mean_difference,
        "largest_output": comparison.scale,
        "cosine": comparison.cosine,
        "length": comparison.length,
    }
    return {name: _finite(value) for name, value in figures.items()}


def _finite(value: Any) -> Any:
    """JSON has no numbers that are none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_verification(verification: Verification, console: Console) -> None:
    """The table, what passes a tolerance, what was left out, and the block to paste."""
    console.print(_table(verification))
    for precision in dict.fromkeys(result.precision for result in verification.results):
        console.print(f"allowed at {precision}: {_allowed(precision, verification.untrained)}")
    if verification.unreadable:
        console.print(f"{len(verification.unreadable)} of {len(verification.clips)} clips cannot be read:")
        for clip, error in verification.unreadable:
            console.print(f"  {error if str(clip) in error else f'{clip}: {error}'}")
    for note in verification.notes:
        console.print(f"note: {note}")
    for result in verification.results:
        for failure in result.failures(verification.untrained):
            console.print(f"FAILED {result.runner}, {failure}", style="bold red")
    for line in ("", "To tell us how it went, paste this; it names no host, user or file:", ""):
        console.print(line)
    for line in facts_block(verification):
        console.print(line)


def _table(verification: Verification) -> Table:
    """A row a stage, with the end to end last, of the reference and of every runner."""
    from rich.table import Table

    table = Table()
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("runner", "stage", "") else "right", no_wrap=True)
    reference = verification.reference
    for stage, spent in reference.milliseconds.items():
        table.add_row(f"{reference.runner} (reference)", stage, "", "", "", "", "", f"{median_ms(spent):.2f}", "")
    for result in verification.results:
        table.add_section()
        _add_result(table, result, verification)
    return table


def _add_result(table: Table, result: RunnerResult, verification: Verification) -> None:
    failures = result.failures(verification.untrained)

    def row(where: str, cells: List[str]) -> None:
        failed = any(failure.startswith(f"{where}: ") for failure in failures)
        table.add_row(result.runner, where.replace("stage ", ""), *cells, "FAILED" if failed else "ok")

    for run in result.stages:
        row(f"stage {run.stage}", [*_cells(run.comparison), "", f"{run.median_ms:.2f}"])
    if result.whole is not None:
        decisions = result.whole.decisions
        same = decisions.samples - decisions.differing
        row("end to end", [*_cells(result.whole.comparison), f"{same} of {decisions.samples}", ""])
    if result.error is not None:
        table.add_row(result.runner, "did not run", "", "", "", "", "", "", "FAILED")


def _cells(comparison: Comparison) -> List[str]:
    part = comparison.max_difference / comparison.scale if comparison.scale > 0 else math.nan
    return [
        f"{comparison.max_difference:.2g}",
        f"{part:.1e}",
        f"{comparison.mean_difference:.2g}",
        f"{comparison.cosine:.6f}",
    ]


def _allowed(precision: Any, untrained: bool) -> str:
    tolerance = TOLERANCES[precision]
    parts = [] if tolerance.relative is None else [f"largest difference {tolerance.relative:g} of the largest output"]
    parts.append(f"median cosine at least {tolerance.cosine:g} and length within a factor of {tolerance.length:g}")
    if untrained:
        return ", ".join([*parts, "decisions not judged (untrained weights)"])
    few = f"within two standard deviations, or all but one near-tie: probabilities closer than {tolerance.tie:g}"
    return ", ".join([*parts, f"{tolerance.agreement:.1%} of decisions the same ({few})"])


def facts(verification: Verification) -> Dict[str, str]:
    """Machine, versions and what was compared."""
    manifest = verification.bundle.manifest
    shape = f"{manifest.input.width} x {manifest.input.height}"
    weights = "untrained" if verification.untrained else "trained"
    return {
        "edgecvar": __version__,
        **device_facts(),
        **clock_facts(),
        **machine_facts(),
        **package_versions(),
        "bundle": f"{manifest.provenance.model}, {weights}, {len(manifest.labels)} classes, {shape}",
        "samples": _samples(verification),
        "reference": verification.reference.runner,
        "result": _verdict(verification),
    }


def _samples(verification: Verification) -> str:
    unreadable = f", {len(verification.unreadable)} unreadable" if verification.unreadable else ""
    return f"{verification.samples} from {len(verification.clips)} clips{unreadable}"


def _verdict(verification: Verification) -> str:
    if verification.passed is None:
        return "nothing compared"
    return "passed" if verification.passed else "FAILED"


def facts_block(verification: Verification) -> List[str]:
    """Lines to paste: the facts, then the figures of each runner."""
    lines = [f"{name}: {value}" for name, value in facts(verification).items()]
    spent = verification.reference.milliseconds
    lines.append(f"{verification.reference.runner}: " + _times({name: median_ms(ms) for name, ms in spent.items()}))
    for result in verification.results:
        lines.append(f"{result.runner}: {_figures(result)}")
        lines += [f"{result.runner}, {_slow(slow)}" for slow in result.slowest]
    return lines


def _figures(result: RunnerResult) -> str:
    parts = []
    if result.whole is not None:
        parts.append(f"decisions {result.whole.decisions.agreement:.1%}")
    if result.stages:
        worst = max(result.stages, key=lambda run: _order(run.comparison))
        parts.append(
            f"largest difference {worst.comparison.max_difference:.2g} of {worst.comparison.scale:.3g} ({worst.stage})"
        )
        parts.append(f"least cosine {min(run.comparison.cosine for run in result.stages):.6f}")
        parts.append(_times({run.stage: run.median_ms for run in result.stages}))
    if result.error is not None:
        parts.append("did not run")
    return ", ".join(parts)


def _slow(slow: SlowLayer) -> str:
    layer = slow.layer
    told = filter(None, (printable(layer.name)[:80], layer.kind, layer.precision, layer.tactic[:80]))
    return f"layer of {slow.stage}, {layer.ms:.3f} ms: {', '.join(told)}"


def _order(comparison: Comparison) -> float:
    part = comparison.max_difference / comparison.scale if comparison.scale > 0 else math.nan
    return math.inf if math.isnan(part) else part


def _times(spent: Dict[str, float]) -> str:
    return "ms " + ", ".join(f"{stage} {ms:.2f}" for stage, ms in spent.items())
