"""What a source of weights stands for: a file, a run's best, or weights that the package ships.

Those are checkpoints as `edgecvar train` writes them, learnt from synthetic clips that anyone can make again: the head
of the recipe says how.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Mapping, Sequence, Union

from edgecvar.bundle.manifest import MANIFEST
from edgecvar.errors import ConfigError
from edgecvar.train.checkpoint import BEST
from edgecvar.train.weights.known_files import check_known, missing_file
from edgecvar.train.weights.published import IMAGENET

SHIPPED = {"synth-motion": Path(__file__).with_name("synth-motion.pt")}
"""By name: of recipes/synth/motion.yaml, the checkpoint that the demo's bundle was compiled from."""


def check_sources(weights: Union[Sequence[str], Mapping[str, Sequence[str]]]) -> None:
    """Raises ConfigError where one of a recipe's `weights` is no file to start from; none is read."""
    lists = weights.values() if isinstance(weights, Mapping) else [weights]
    for source in (source for each in lists for source in each):
        if source != IMAGENET:
            weights_file(source)


def weights_file(source: str) -> Path:
    """The file that a source other than "imagenet" stands for; raises ConfigError where it is none.

    Also where it has the name of a published file and not its hash.
    """
    path = SHIPPED.get(source, Path(source))
    if not path.exists():
        near = difflib.get_close_matches(source, [IMAGENET, *SHIPPED], n=1)
        raise ConfigError(f"{source}: no such file; did you mean {near[0]}?") if near else missing_file(path)
    if not path.is_dir():
        check_known(path)
        return path
    if (path / MANIFEST).is_file():
        raise ConfigError(
            f"{path}: a bundle's batch norms are folded into its convolutions, and training cannot go on from there; "
            "give the run that it was compiled from"
        )
    if not (path / BEST).is_file():
        raise ConfigError(f"{path}: a folder without {BEST}, so no run to start from; give a run, or a file of weights")
    return path / BEST
