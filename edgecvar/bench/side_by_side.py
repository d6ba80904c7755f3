"""Several bundles and precisions measured on one source, in turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from edgecvar.bench.measure import TURNS, BenchConfig, measure, measuring
from edgecvar.bench.session import Session
from edgecvar.bench.turns import in_turns
from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.precision import Precision
from edgecvar.errors import ConfigError
from edgecvar.progress import Progress, silent
from edgecvar.run.trace import NOBODY, Observers
from edgecvar.runners.choice import resolve


def measure_sessions(
    config: BenchConfig,
    bundles: Sequence[Path],
    precisions: Sequence[Precision],
    progress: Progress = silent,
    observers: Observers = NOBODY,
) -> List[Session]:
    """Each bundle in each precision, the one of `config` where none is given, in TURNS turns at least.

    Raises EdgecvarError, before anything is measured where a bundle lacks a precision or is given twice.
    """
    given: List[Optional[Path]] = [*bundles] or [config.bundle]
    asked: List[Optional[Precision]] = [*precisions] or [config.precision]
    configs = [
        config.model_copy(update={"bundle": bundle, "precision": precision}) for bundle in given for precision in asked
    ]
    if len(configs) == 1:
        return [measure(configs[0], progress, observers)]
    measured = []
    for each in configs:
        bundle = open_bundle(each.bundle or default_bundle(), each.trust)
        measured.append((str(bundle.path), resolve(bundle, each)[1]))
        if measured.count(measured[-1]) > 1:
            raise ConfigError(f"--bundle {bundle.path}: given twice; there is nothing to compare")
    return in_turns(
        [
            measuring(each, _naming(progress, name), replace(observers, subject=name), TURNS)
            for each, name in zip(configs, subjects(measured))
        ]
    )


def subjects(measured: Sequence[Tuple[str, str]]) -> List[str]:
    """What bundles in precisions are called side by side: by their paths where two of them have one name."""
    paths = list(dict.fromkeys(path for path, _ in measured))
    stems = [Path(path).stem for path in paths]
    names = {path: path if stems.count(stem) > 1 else stem for path, stem in zip(paths, stems)}
    return [f"{names[path]} {precision}" for path, precision in measured]


def _naming(progress: Progress, name: str) -> Progress:
    return lambda done, total, what: progress(done, total, f"{name}: {what}")
