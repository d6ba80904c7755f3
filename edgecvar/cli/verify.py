"""`edgecvar verify`: whether a bundle computes here what it should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

from edgecvar.cli.flags import engine_flags, max_batch_flag, trust_flag
from edgecvar.terminal import say_json

if TYPE_CHECKING:
    from edgecvar.bundle.manifest import Bundle
    from edgecvar.runners.runner import Runner


@click.command("verify")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--runners", metavar="LIST", help="Of torch, onnx and trt, with commas [default: those that are here].")
@click.option("--data", metavar="PATH", type=click.Path(), help="Clip or folder of clips [default: the shipped clip].")
@click.option("--samples", type=int, default=64, show_default=True, metavar="N", help="Sampled pictures to compare.")
@click.option(
    "--checkpoint", metavar="FILE", type=click.Path(), help="For torch [default: looked for under ./runs by its hash]."
)
@click.option("--layers", is_flag=True, help="Find the layer at which a stage goes wrong, and say what mends it.")
@trust_flag
@engine_flags
@max_batch_flag
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
def command(bundle: Optional[Path], trust: Optional[Path], as_json: bool, **options: Any) -> None:
    """Compare every runner and precision of BUNDLE [default: the shipped one] with a reference, on real clips.

    Stage by stage, each fed with what the reference's stage was fed with, and end to end. The reference is torch
    where torch and the checkpoint are there, else fp32 on ONNX Runtime. Exits with 1 where a tolerance is passed.
    """
    import sys

    from edgecvar.bundle.default import default_bundle
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.verification import print_verification, verification_document
    from edgecvar.config import from_flags
    from edgecvar.console import Console
    from edgecvar.judge.verify import VerifyConfig, verify
    from edgecvar.progress import StepBar
    from edgecvar.sinks.untrained import warn_untrained

    config = from_flags(VerifyConfig, options)
    opened = open_bundle(bundle or default_bundle(), trust)
    warn_untrained(opened)
    with StepBar() as bar:
        verification = verify(opened, config, lambda file: torch_reference(opened, file), bar.show)
    if as_json:
        say_json(verification_document(verification))
    else:
        print_verification(verification, Console())
    if not verification.passed:  # also where nothing was compared
        sys.stdout.flush()
        sys.exit(1)


def torch_reference(bundle: Bundle, checkpoint: Path) -> Runner:
    """The checkpoint's network in torch; raises ConfigError where it has other stages than the bundle."""
    from edgecvar.errors import ConfigError
    from edgecvar.runners.torch import TorchRunner
    from edgecvar.train.checkpoint import load_checkpoint

    network = load_checkpoint(checkpoint).build()
    if network.stages() != bundle.manifest.stages:
        raise ConfigError(
            f"{checkpoint}: its network has other stages here than in {bundle.path}, which another version of edgecvar "
            "compiled; compile it again, or leave torch out with --runners onnx"
        )
    return TorchRunner(network)
