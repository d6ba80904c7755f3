"""What `edgecvar bundle info` shows of one bundle."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, Iterator, List, Optional, Tuple

from rich.table import Table

from edgecvar.bundle.contents import Contents, HeldFile, recipe_of
from edgecvar.bundle.stages import StageSpec
from edgecvar.cli.report.bundle.exits import record_lines
from edgecvar.config import shortened
from edgecvar.console import Console


def contents_document(contents: Contents) -> Dict[str, Any]:
    """All of it as plain data."""
    bundle, manifest = contents.bundle, contents.bundle.manifest
    return {
        "bundle": str(bundle.path),
        "schema_version": manifest.schema_version,
        "provenance": manifest.provenance.model_dump(mode="json"),
        "labels": manifest.labels,
        "precisions": bundle.precisions,
        "input": manifest.input.model_dump(mode="json"),
        "stages": [stage.model_dump(mode="json") for stage in manifest.stages],
        "int8": None if manifest.int8 is None else manifest.int8.model_dump(mode="json"),
        "exits": None if manifest.exits is None else manifest.exits.model_dump(mode="json"),
        "files": [asdict(file) for file in contents.files],
        "carried_bytes": contents.carried_bytes,
        "engines": [{**asdict(each), "key": each.key.model_dump(mode="json")} for each in contents.engines],
        "signature": None if contents.signature is None else asdict(contents.signature),
    }


def print_contents(contents: Contents, console: Console) -> None:
    """For a person: facts, then the stages."""
    for name, value in _facts(contents):
        console.print(f"{name:<10} {value}")
    console.print("")
    table = Table(box=None, pad_edge=False)
    for title in ("stage", "once a", "takes", "gives"):
        table.add_column(title)
    precisions = contents.bundle.precisions
    for precision in precisions:
        table.add_column(precision, justify="right")
    for stage in contents.bundle.manifest.stages:
        sizes = {file.precision: file.size_bytes for file in contents.files if _plain(stage, file)}
        shape = " x ".join(map(str, stage.output_shape)) + (" (exit)" if stage.exit else "")
        table.add_row(
            stage.name, stage.cadence, _takes(stage), shape, *(size(sizes.get(each, 0)) for each in precisions)
        )
    console.print(table)


def _facts(contents: Contents) -> Iterator[Tuple[str, str]]:
    manifest = contents.bundle.manifest
    provenance, spec = manifest.provenance, manifest.input
    yield "bundle", str(contents.bundle.path)
    yield "network", provenance.model + (" (UNTRAINED: random weights)" if provenance.untrained else "")
    yield "from", ", ".join(_origin(contents))
    yield "made with", ", ".join(f"{name} {version}" for name, version in sorted(provenance.tools.items())) or "unknown"
    yield "labels", f"{len(manifest.labels)}: {', '.join(manifest.labels)}"
    rate = "" if spec.rate is None else f" at {spec.rate:g} pictures a second"
    yield "input", f"{spec.width} x {spec.height}, one of {spec.stride} pictures{rate}, GOPs of {spec.gop_length}"
    yield "size", f"{size(contents.carried_bytes)} without engines"
    if manifest.int8 is not None:
        record = manifest.int8
        yield "int8", f"{record.method}, {record.samples} pictures of {record.data}, {len(record.kept)} layers in fp16"
    if manifest.exits is not None:
        yield "exits", " ".join(record_lines(manifest.exits))
    for each in contents.engines:
        whose = "built here" if each.built_here else "not built here by this user"
        yield "engines", f"{each.folder} for {each.key.gpu}, batches up to {each.max_batch}, {whose}"
    if not contents.engines:
        yield "engines", "none yet"
    yield "signed", _signed(contents)


def _origin(contents: Contents) -> List[str]:
    provenance = contents.bundle.manifest.provenance
    told = [("recipe", _recipe(provenance.recipe)), ("commit", provenance.git_commit and provenance.git_commit[:12])]
    told.append(("checkpoint", provenance.checkpoint_sha256 and provenance.checkpoint_sha256[:12]))
    return [f"{name} {value}" for name, value in told if value] or ["nothing that is known"]


def _recipe(text: Optional[str]) -> str:
    """Of the whole document, what it was trained on and for how long."""
    recipe = recipe_of(text)
    if not isinstance(recipe, dict):
        return shortened(recipe) if recipe else ""
    return f"on {recipe.get('data')}, {recipe.get('epochs')} epochs"


def _signed(contents: Contents) -> str:
    signature = contents.signature
    if signature is None:
        return "no"
    if not signature.checked:
        return f"says it is by key {signature.key}; not checked, which --trust KEY.pub does"
    return f"by key {signature.key}, which is trusted ({signature.comment.expandtabs(1)})"


def _plain(stage: StageSpec, file: HeldFile) -> bool:
    return file.stage == stage.name and not file.strongly_typed


def _takes(stage: StageSpec) -> str:
    taken = [each.source + (f" x {each.segments}" if each.segments else "") for each in stage.inputs]
    return ", ".join(dict.fromkeys([*taken, *(["state"] if stage.state else [])]))


def size(size_bytes: int) -> str:
    if size_bytes >= 1e5:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e3:.1f} kB" if size_bytes >= 1000 else f"{size_bytes} B"
