"""The flags that several verbs share, and what a flag with a list holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional, TypeVar

import click

if TYPE_CHECKING:
    from edgecvar.bundle.precision import Precision

C = TypeVar("C", bound=Callable[..., Any])

_CHOICE = (
    click.option(
        "--runner",
        type=click.Choice(["auto", "onnx", "trt"]),
        default="auto",
        show_default=True,
        help="ONNX Runtime on the CPU, or TensorRT; auto is TensorRT where it is installed.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "int8"]),
        help="Of the stages [default: fp32 on ONNX Runtime; fp16 on TensorRT, if the bundle has it].",
    ),
)
_ENGINE = (
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="Threads of ONNX Runtime, in a stage. [default: what pays]",
    ),
    click.option("--device", metavar="NAME", help="With TensorRT: which Jetson this is, where it is not recognised."),
    click.option("--dla", type=click.IntRange(min=0), metavar="N", help="With TensorRT: run on this DLA core."),
    click.option(
        "--converter",
        type=click.Choice(["onnx", "torch2trt"]),
        default="onnx",
        show_default=True,
        help="With TensorRT: what made the engines.",
    ),
)


every_flag = click.option(
    "--every",
    type=click.IntRange(1, 300),
    metavar="K",
    help="Sample one of every K pictures [default: as the bundle says].",
)
max_batch_flag = click.option(
    "--max-batch",
    type=click.IntRange(1, 64),
    metavar="N",
    help="So many streams' pictures may go through an engine at once [default: 1].",
)


def _exit_choice(context: click.Context, option: click.Parameter, text: str) -> object:
    if text in ("auto", "off"):
        return text
    try:
        confidence = float(text)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise click.BadParameter(f"{text!r}: expected auto, off, or a confidence from 0 to 1", context, option)
    return confidence


exits_flag = click.option(
    "--exits",
    default="auto",
    show_default=True,
    metavar="CONFIDENCE",
    callback=_exit_choice,
    help="Of a network with early exits: how sure one must be, such as 0.9; auto as the bundle says; off.",
)
extraction_flag = click.option(
    "--extraction",
    type=click.Choice(["auto", "native", "ffmpeg"]),
    default="auto",
    show_default=True,
    help="How vectors are got: native parses H.264, HEVC; ffmpeg decodes all but HEVC; auto is native where that can.",
)
decoder_flag = click.option(
    "--decoder",
    type=click.Choice(["auto", "software", "gstreamer", "cuda"]),
    default="auto",
    show_default=True,
    help="What decodes I-pictures; auto is hardware where there is some that gives the same picture as software.",
)
timeout_flag = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Give the source up when nothing has come for so long.",
)


trust_flag = click.option(
    "--trust",
    type=click.Path(path_type=Path),
    envvar="EDGECVAR_TRUST",
    metavar="KEY.pub",
    help="Refuse a bundle that none of these keys signed [default: $EDGECVAR_TRUST].",
)
runner_flag = _CHOICE[0]
trace_flag = click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write when every thread did what, as JSON that Perfetto opens.",
)


def runner_flags(command: C) -> C:
    """Add the flags; their names are the fields of `edgecvar.runners.choice.RunnerChoice`."""
    command = engine_flags(command)
    for flag in reversed(_CHOICE):
        command = flag(command)
    return command


def engine_flags(command: C) -> C:
    """Add those that say how an engine runs, not which."""
    for flag in reversed(_ENGINE):
        command = flag(command)
    return command


def precision_list(text: Optional[str]) -> Optional[List[Precision]]:
    """The precisions of a list such as "fp32,fp16", fp32 first; raises ConfigError."""
    if text is None:
        return None
    from edgecvar.bundle.precision import PRECISIONS
    from edgecvar.errors import ConfigError, unknown_name

    names = {name.strip() for name in text.split(",")} - {""}
    for name in sorted(names):
        if name not in PRECISIONS:
            raise unknown_name("precision", name, PRECISIONS)
    if not names:
        raise ConfigError(f"--precision {text!r}: expected a list such as fp32,fp16")
    return [each for each in PRECISIONS if each in names]


def refuse_bundle(source: Optional[str]) -> None:
    """Raises UsageError where a bundle stands in the place of a video."""
    if source is not None and Path(source, "manifest.json").is_file():
        raise click.UsageError(f"{source} is a bundle, where a video is expected: give it with --bundle")
