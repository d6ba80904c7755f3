"""What the package ships: a bundle trained on synthetic clips by recipes/synth/motion.yaml, and a clip to run it on."""

from __future__ import annotations

from pathlib import Path

from edgecvar.bundle.manifest import MANIFEST
from edgecvar.errors import BundleError

SHIPPED = Path(__file__).parent.parent / "demo" / "motion.edgecvar"
CLIP = SHIPPED.parent / "clip.mp4"


def default_bundle() -> Path:
    """The shipped bundle's folder; raises BundleError where this installation has none."""
    if not (SHIPPED / MANIFEST).is_file():
        raise BundleError(
            f"{SHIPPED}: this installation ships no bundle; name one with --bundle, or make one with "
            "`edgecvar train recipes/synth/motion.yaml` and `edgecvar compile --model motion`"
        )
    return SHIPPED


def default_clip() -> Path:
    """The shipped clip, a run of synthetic classes; raises BundleError where this installation has none."""
    if not CLIP.is_file():
        raise BundleError(f"{CLIP}: this installation ships no clip; name a video of yours")
    return CLIP
