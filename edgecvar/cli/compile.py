"""`edgecvar compile`: a checkpoint in, a bundle out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from edgecvar.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from edgecvar.compile.bundle import Compiled
    from edgecvar.compile.subject import CompileConfig

_FOLDER = click.Path(path_type=Path)
_EXISTING = click.Path(path_type=Path, exists=True)


@click.command(short_help="Turn a checkpoint into a bundle.")
@click.option("--model", metavar="NAME", help="The network; its newest run is compiled unless told otherwise.")
@click.option("--checkpoint", type=_FOLDER, metavar="FILE", help="Compile this checkpoint.")
@click.option("--untrained", is_flag=True, help="Random weights: a bundle for profiling only, marked as such.")
@click.option("--classes", type=int, metavar="N", help="Classes of an untrained network (51 unless given).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="network.* or input.* of an untrained one.")
@click.option("--data", type=_EXISTING, metavar="PATH", help="Clip, or folder of clips, to check the stages with.")
@click.option("-o", "--output", type=_FOLDER, metavar="BUNDLE", help="The bundle's folder (NAME.edgecvar here).")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Compile a trained network to ONNX stages, each checked against torch on real inputs.

    \b
    edgecvar compile --model attp
    edgecvar compile --checkpoint runs/attp/20260101-120000/best.pt -o gestures.edgecvar
    edgecvar compile --model attp --untrained --set network.backbone=efficientnet_b0

    Needs the train extra: pip install 'edgecvar[train]'.
    """
    _need("torch", "onnx", "onnxscript")
    from rich.console import Console

    from edgecvar.compile.bundle import compile_bundle

    config = _config(**options)
    console = Console(stderr=True, quiet=as_json)
    with console.status("starting") as status:
        compiled = compile_bundle(config, lambda what: status.update(what))
    if as_json:
        click.echo(json.dumps(_document(compiled)))
    else:
        _print(compiled, Console())


def _config(
    model: Optional[str],
    untrained: bool,
    classes: Optional[int],
    settings: Tuple[str, ...],
    **paths: Optional[Path],
) -> CompileConfig:
    from edgecvar.compile.subject import CompileConfig

    if not untrained and (classes is not None or settings):
        raise ConfigError("--classes and --set are for --untrained; a checkpoint brings its own")
    fields: Dict[str, Any] = {"model": model, "untrained": untrained, **paths, **_settings(model, settings)}
    if classes is not None:
        if classes < 1:
            raise ConfigError(f"--classes: got {classes}, expected at least 1")
        fields["classes"] = classes
    return CompileConfig(**fields)


def _settings(model: Optional[str], settings: Tuple[str, ...]) -> Dict[str, Any]:
    """The `network` and `input` options that --set states, read as a recipe's are."""
    if not settings:
        return {}
    from edgecvar.train.recipe import override_keys, parse_recipe

    for setting, key in zip(settings, override_keys(settings)):
        if key not in ("network", "input"):
            raise ConfigError(f"--set {setting}: expected network.KEY=VALUE or input.KEY=VALUE")
    recipe = parse_recipe(json.dumps({"model": model or "", "data": ""}), settings, "--set")
    return {"network": recipe.network, "input": recipe.input}


def _document(compiled: Compiled) -> Dict[str, Any]:
    manifest = compiled.bundle.manifest
    return {
        "bundle": str(compiled.bundle.path),
        "model": manifest.provenance.model,
        "untrained": manifest.provenance.untrained,
        "labels": manifest.labels,
        "checked_with": [str(clip) for clip in compiled.clips],
        "stages": [
            {
                "stage": stage.check.stage,
                "cadence": spec.cadence,
                "size_bytes": stage.size_bytes,
                "max_difference": stage.check.max_difference,
                "largest_output": stage.check.scale,
                "samples": stage.check.samples,
            }
            for spec, stage in zip(manifest.stages, compiled.stages)
        ],
    }


def _print(compiled: Compiled, console: Console) -> None:
    manifest, bundle = compiled.bundle.manifest, compiled.bundle
    for spec, stage in zip(manifest.stages, compiled.stages):
        check = stage.check
        size = f"{stage.size_bytes / 1e6:.1f} MB" if stage.size_bytes >= 1e5 else f"{stage.size_bytes / 1e3:.1f} kB"
        click.echo(
            f"{spec.name:<12} once a {spec.cadence:<8} {size:>8}   largest difference to torch "
            f"{check.max_difference:.1e} (largest output {check.scale:.3g}, samples {check.samples})"
        )
    click.echo(f"checked with {', '.join(str(clip) for clip in compiled.clips)}")
    if manifest.provenance.untrained:
        console.print("UNTRAINED: random weights, for profiling only; its decisions mean nothing", style="bold red")
    total = sum(stage.size_bytes for stage in compiled.stages)
    click.echo(f"bundle: {bundle.path} ({total / 1e6:.1f} MB, {len(manifest.labels)} classes)")
    click.echo(f"next: edgecvar run VIDEO --bundle {bundle.path}")


def _need(*packages: str) -> None:
    import importlib.util

    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigError(f"compiling needs {', '.join(missing)}, not installed: pip install 'edgecvar[train]'")
