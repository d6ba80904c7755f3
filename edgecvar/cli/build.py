"""`edgecvar build`: a bundle's TensorRT engines, on the device that runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from edgecvar.cli.flags import max_batch_flag, precision_list, trust_flag
from edgecvar.terminal import say, say_json


@click.command("build")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--precision", metavar="LIST", help="For example fp32,fp16 [default: all that bundle and device have].")
@click.option("--device", metavar="NAME", help="Where it is not the one detected (see `edgecvar devices`).")
@click.option("--dla", type=click.IntRange(min=0), metavar="N", help="Build for this DLA core.")
@max_batch_flag
@trust_flag
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON document.")
def command(
    bundle: Path,
    precision: Optional[str],
    device: Optional[str],
    dla: Optional[int],
    max_batch: Optional[int],
    trust: Optional[Path],
    as_json: bool,
) -> None:
    """Build the TensorRT engines of BUNDLE on the device that this is, and keep them in it.

    Without it the first `edgecvar run` builds the ones that it needs. Engines that fit are left as they are.
    """
    from edgecvar.bundle.devices import detect_device, find_device
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.runners.choice import RunnerChoice, engine_precisions, make_runner

    opened = open_bundle(bundle, trust)
    here = detect_device() if device is None else find_device(device)
    precisions = precision_list(precision)
    if precisions is None:
        # The stages of a workstation's GPU are in every precision; `cpu` is what a machine without a Jetson is called.
        able = [each for each in opened.precisions if each in here.precisions]
        precisions = engine_precisions(able, dla, "onnx")
    names = []
    for each in precisions:
        choice = RunnerChoice(runner="trt", precision=each, device=device, dla=dla, max_batch=max_batch)
        with make_runner(opened, choice) as runner:
            names.append(runner.name)
    if as_json:
        say_json({"bundle": str(bundle), "built": names})
        return
    for name in names:
        say(f"built: {name}")
    say(f"next: edgecvar verify {bundle} --runners onnx,trt")
