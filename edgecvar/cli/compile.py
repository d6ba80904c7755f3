"""`edgecvar compile`: a checkpoint in, a bundle out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from edgecvar.cli.flags import max_batch_flag, precision_list
from edgecvar.errors import ConfigError, need_extra
from edgecvar.terminal import say_json

if TYPE_CHECKING:
    from edgecvar.compile.config import CompileConfig

_FOLDER = click.Path(path_type=Path)
_EXISTING = click.Path(path_type=Path, exists=True)


def _moved(context: click.Context, option: click.Parameter, bundle: Optional[str]) -> None:
    if bundle is not None:
        raise click.UsageError(f"engines of a bundle that is there are built by `edgecvar build {bundle}`", context)


@click.command(short_help="Turn a checkpoint into a bundle.")
@click.option("--model", metavar="NAME", help="The network; its newest run is compiled unless told otherwise.")
@click.option("--checkpoint", type=_FOLDER, metavar="FILE", help="Compile this checkpoint.")
@click.option("--untrained", is_flag=True, help="Random weights: a bundle for profiling only, marked as such.")
@click.option("--classes", type=int, metavar="N", help="Classes of an untrained network (51 unless given).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="network.* or input.* of an untrained one.")
@click.option("--data", type=_EXISTING, metavar="PATH", help="Clips to check with and, a folder, to calibrate int8.")
@click.option("--device", metavar="NAME", help="Make what this device can run (see `edgecvar devices`).")
@click.option("--precision", metavar="LIST", help="For example fp32,fp16 [default: all that the device has].")
@click.option(
    "--max-drop",
    metavar="PERCENT",
    default="0.5",
    show_default=True,
    help="Keep layers in fp16 until int8 changes at most this share of decisions; none: all int8.",
)
@click.option(
    "--for",
    "fastest_on",
    metavar="DEVICE",
    help="Choose the layers of int8 by its predicted time: the fastest that keeps --max-drop, not the smallest.",
)
@click.option("--search-samples", type=click.IntRange(min=1), help="Pictures that int8 is judged by [default: 512].")
@click.option(
    "--keep-fp32", multiple=True, metavar="STAGE:LAYER", help="fp16 keeps it in fp32; `verify --layers` names such."
)
@click.option("--engines", is_flag=True, help="Also build TensorRT's engines, for the device that this is.")
@click.option(
    "--converter",
    type=click.Choice(["onnx", "torch2trt"]),
    default="onnx",
    show_default=True,
    help="What makes the engines; torch2trt implies --engines.",
)
@click.option("--dla", type=click.IntRange(min=0), metavar="N", help="Build the engines for this DLA core.")
@click.option(
    "--exit-drop",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    metavar="POINTS",
    help="Early exits may lose so much accuracy of the clips that validate.",
)
@click.option(
    "--exit-confidence", type=click.FloatRange(0, 1), metavar="P", help="How sure early exits must be; 1: never."
)
@click.option("--exit-data", type=_EXISTING, metavar="DIR", help="Class folders of clips to choose that on.")
@max_batch_flag
@click.option("--bundle", hidden=True, expose_value=False, callback=_moved)
@click.option("-o", "--output", type=_FOLDER, metavar="BUNDLE", help="The bundle's folder (NAME.edgecvar here).")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Compile a trained network to ONNX stages in fp32, fp16 and int8, each checked against torch on real inputs.

    \b
    edgecvar compile --model attp
    edgecvar compile --checkpoint runs/attp/20260101-120000/best.pt -o gestures.edgecvar
    edgecvar compile --model attp --device tx2 --precision fp16
    edgecvar compile --model attp --max-drop 0.5 --for orin-nano
    edgecvar compile --model attp --untrained --set network.backbone=efficientnet_b0

    int8 is calibrated on the run's own training clips, or on --data, and judged by others: the layers that cost most
    stay fp16 until no more than --max-drop percent of the decisions differ from fp32's. With --for, layers that int8
    does not speed up on that device stay fp16 too, and of the others those that cost least time.

    Needs the train extra: pip install 'edgecvar[train]'. `edgecvar build`, for the device, does not.
    """
    need_extra("train", "compiling", "torch", "onnx", "onnxscript")
    from edgecvar.cli.report.bundle.compiled import as_document, print_compiled
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.plan import plan_compilation
    from edgecvar.console import Console
    from edgecvar.progress import StepBar

    config = _config(**options)
    with StepBar() as bar:
        compiled = compile_bundle(plan_compilation(config), bar.show)
    if as_json:
        say_json(as_document(compiled))
    else:
        print_compiled(compiled, Console())


def _max_drop(text: str) -> Optional[float]:
    if text.strip().lower() == "none":
        return None
    try:
        drop = float(text)
    except ValueError:
        drop = -1.0
    if not 0 <= drop <= 100:
        raise ConfigError(f"--max-drop {text}: expected a percentage from 0 to 100, or none")
    return drop


def _config(
    model: Optional[str],
    untrained: bool,
    classes: Optional[int],
    settings: Tuple[str, ...],
    precision: Optional[str],
    max_drop: str,
    **others: Any,
) -> CompileConfig:
    from edgecvar.compile.config import CompileConfig
    from edgecvar.config import from_flags

    if not untrained and (classes is not None or settings):
        raise ConfigError("--classes and --set are for --untrained; a checkpoint brings its own")
    fields: Dict[str, Any] = {"model": model, "untrained": untrained, **_settings(model, settings)}
    fields.update(precision=precision_list(precision), max_drop=_max_drop(max_drop))
    fields.update({name: value for name, value in others.items() if value is not None})
    if classes is not None:
        fields["classes"] = classes
    return from_flags(CompileConfig, fields)


def _settings(model: Optional[str], settings: Tuple[str, ...]) -> Dict[str, Any]:
    """The `network` and `input` options that --set states, read as a recipe's are."""
    if not settings:
        return {}
    from edgecvar.train.recipe import first_outside, parse_recipe

    wrong = first_outside(settings, ("network", "input"))
    if wrong is not None:
        raise ConfigError(f"--set {wrong}: expected network.KEY=VALUE or input.KEY=VALUE")
    network = parse_recipe(json.dumps({"model": model or "", "data": ""}), settings, "--set").network
    return {"network": network.options, "input": network.input}
