"""What a source of weights stands for: a file, a run's best, or weights that the package ships.

Those are checkpoints as `edgecvar train` writes them, learnt from synthetic clips that anyone can make again: the head
of the recipe says how.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from edgecvar.bundle.manifest import MANIFEST
from edgecvar.errors import ConfigError
from edgecvar.train.checkpoint import BEST
from edgecvar.train.weights.published import IMAGENET

SHIPPED = {"synth-motion": Path(__file__).with_name("synth-motion.pt")}
"""By name: of recipes/synth/motion.yaml, the checkpoint that the demo's bundle was compiled from."""


def weights_file(source: str) -> Path:
    """The file that a source other than "imagenet" stands for; raises ConfigError where it is none."""
    path = SHIPPED.get(source, Path(source))
    if not path.exists():
        near = difflib.get_close_matches(source, [IMAGENET, *SHIPPED], n=1)
        if near:
            raise ConfigError(f"{source}: no such file; did you mean {near[0]}?")
    if not path.is_dir():
        return path
    if (path / MANIFEST).is_file():
        raise ConfigError(
            f"{path}: a bundle's batch norms are folded into its convolutions, and training cannot go on from there; "
            "give the run that it was compiled from"
        )
    if not (path / BEST).is_file():
        raise ConfigError(f"{path}: a folder without {BEST}, so no run to start from; give a run, or a file of weights")
    return path / BEST
