"""What `edgecvar compile` prints when it is done: stages, precisions, the layers that stayed fp16."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from rich.table import Table

from edgecvar.cli.report.bundle.exits import record_lines
from edgecvar.console import Console

if TYPE_CHECKING:
    from edgecvar.bundle.precision import Int8Record, TimedChoice
    from edgecvar.compile.bundle import Compiled


def as_document(compiled: Compiled) -> Dict[str, Any]:
    """The result as plain data."""
    manifest = compiled.bundle.manifest
    cadence = {spec.name: spec.cadence for spec in manifest.stages}
    return {
        "bundle": str(compiled.bundle.path),
        "model": manifest.provenance.model,
        "untrained": manifest.provenance.untrained,
        "labels": manifest.labels,
        "checked_with": [str(clip) for clip in compiled.clips],
        "precisions": {
            precision: {"size_bytes": compiled.size_bytes(precision)} for precision in compiled.bundle.precisions
        },
        "int8": None if manifest.int8 is None else manifest.int8.model_dump(mode="json", exclude={"clips"}),
        "exits": None if manifest.exits is None else manifest.exits.model_dump(mode="json"),
        "int8_left_out": compiled.left_out,
        "stages": [
            {
                "stage": stage.check.stage,
                "precision": stage.precision,
                "strongly_typed": stage.strongly_typed,
                "cadence": cadence[stage.check.stage],
                "size_bytes": stage.size_bytes,
                "max_difference": stage.check.max_difference,
                "largest_output": stage.check.scale,
                "samples": stage.check.samples,
            }
            for stage in compiled.stages
        ],
    }


def print_compiled(compiled: Compiled, console: Console) -> None:
    """The result for a person."""
    manifest, bundle = compiled.bundle.manifest, compiled.bundle
    table = Table(box=None, pad_edge=False)
    for title in ("stage", "once a", "precision"):
        table.add_column(title)
    for title in ("size", "difference to torch", "largest output", "samples"):
        table.add_column(title, justify="right")
    cadence = {spec.name: spec.cadence for spec in manifest.stages}
    for stage in compiled.stages:
        check = stage.check
        table.add_row(
            check.stage,
            cadence[check.stage],
            f"{stage.precision}, TensorRT 11" if stage.strongly_typed else stage.precision,
            _size(stage.size_bytes),
            f"{check.max_difference:.1e}",
            f"{check.scale:.3g}",
            str(check.samples),
        )
    console.print(table)
    console.print(f"checked with {', '.join(str(clip) for clip in compiled.clips)}")
    if manifest.int8 is not None:
        _print_int8(manifest.int8, console)
    if compiled.left_out is not None:
        console.print(f"no int8: {compiled.left_out}")
    if manifest.exits is not None:
        for line in record_lines(manifest.exits):
            console.print(line)
    if manifest.provenance.untrained:
        console.print("UNTRAINED: random weights, for profiling only; its decisions mean nothing", style="bold red")
    whole = compiled.size_bytes("fp32")
    sizes = ", ".join(
        f"{precision} {_size(compiled.size_bytes(precision))} ({compiled.size_bytes(precision) / whole:.1%})"
        for precision in bundle.precisions
    )
    console.print(f"bundle: {bundle.path} ({sizes}; {len(manifest.labels)} classes)")
    console.print(f"next: edgecvar verify {bundle.path}")


def _print_int8(record: Int8Record, console: Console) -> None:
    losses = ", ".join(f"{method} {loss:.2g}" for method, loss in record.losses)
    console.print(
        f"int8: calibrated on {record.samples} pictures of {len(record.clips)} clips of {record.data}, ranges by "
        f"{record.method} (loss in nats: {losses}); at most {record.drop:.2f} % of {record.searched} "
        "decisions differ from fp32's, near-ties aside",
    )
    if record.timed is not None:
        _print_timed(record.timed, console)
    if not record.kept:
        return
    console.print(f"{len(record.kept)} layers stay fp16 for what int8 costs:")
    table = _layers()
    table.add_column("bytes forgone", justify="right")
    table.add_column("loss alone (nats)", justify="right")
    for layer in record.kept:
        table.add_row(layer.stage, layer.layer, _size(layer.gain), f"{layer.loss:.2g}")
    console.print(table)


def _print_timed(timed: TimedChoice, console: Console) -> None:
    console.print(
        f"int8 for {timed.device}, predicted: {timed.ms:.3f} ms of the stages a sampled picture; all in int8 "
        f"{timed.int8_ms:.3f}, all in fp16 {timed.fp16_ms:.3f}"
    )
    if not timed.unpaid:
        return
    console.print(f"{len(timed.unpaid)} layers stay fp16 because int8 does not pay there:")
    table = _layers()
    table.add_column("int8 would take more (ms)", justify="right")
    for layer in timed.unpaid:
        table.add_row(layer.stage, layer.layer, f"{layer.ms:.4f}")
    console.print(table)


def _layers() -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("layer")
    return table


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
