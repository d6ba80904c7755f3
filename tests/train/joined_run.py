"""A run as a program, computed in double precision, so that two ways to the same sum can be told from two sums.

In single precision batch norm of channels that hardly vary makes rounding errors some thousand times larger a layer.
"""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from edgecvar.nets.batch import ClipBatch
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import load_recipe

GROUP_LEFT = 3
"""The exit code where the processes have not parted before the interpreter goes, which now and then aborts it."""
FIELDS = ("image", "adjacent_image", "motion", "residual")


def main(verb: str, path: Path, root: Path, *overrides: str) -> None:
    """`start` a recipe's run in a folder, or `resume` that of a folder."""
    torch.set_default_dtype(torch.float64)
    move = ClipBatch.to
    ClipBatch.to = lambda self, device: move(  # type: ignore[method-assign]
        replace(self, **{field: getattr(self, field).double() for field in FIELDS}), device
    )
    if verb == "start":
        training = start_run(load_recipe(path, overrides), root, Listener())
    else:
        training = resume_run(path, overrides, Listener())
    training.fit()


def none_left() -> None:
    if torch.distributed.is_initialized():
        os._exit(GROUP_LEFT)


if __name__ == "__main__":
    atexit.register(none_left)  # before those of the run, so that it is called after them
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
