"""Measuring a machine: all trials, its caches, its calls, fitted and kept for the user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Optional

from pydantic import ValidationError

from edgecvar.config import mistake
from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file
from edgecvar.predict.cpu.fit import Circumstances, fit_machine
from edgecvar.predict.cpu.machine import Machine
from edgecvar.predict.cpu.micro import PASSES, call_seconds, kept_bytes, measure_trials
from edgecvar.predict.cpu.trials import Trial
from edgecvar.predict.cpu.trials_carrying import carrying_trials
from edgecvar.predict.cpu.trials_convolution import convolution_trials
from edgecvar.progress import Progress, silent
from edgecvar.runners.onnx import onnx_runtime

TENSORS = 8
"""Inputs, as many outputs, of the call that tells what each takes."""


def trials(density: float = 1.0) -> List[Trial]:
    """All of them; `density`: how many, against a whole run."""
    return convolution_trials(density) + carrying_trials(density)


def measure_machine(
    processor: str, threads: int = 1, density: float = 1.0, passes: int = PASSES, progress: Progress = silent
) -> Machine:
    """This machine on so many threads; `density`: how many sizes of each routine, against a whole run."""
    measured = measure_trials(trials(density), threads, passes, progress)
    few, many = call_seconds(threads), call_seconds(threads, TENSORS)
    around = Circumstances(
        processor=processor,
        threads=threads,
        onnxruntime=str(onnx_runtime().__version__),
        kept=kept_bytes(threads, progress),
        overhead=1e6 * few,
        tensor=1e6 * max(many - few, 0) / (2 * TENSORS - 2),
    )
    return fit_machine(measured, around)


def machine_file(threads: int) -> Path:
    """Where a machine is kept unless said otherwise: $XDG_CACHE_HOME/edgecvar/machine-THREADS.json."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache) / "edgecvar" / f"machine-{threads}.json"


def save_machine(machine: Machine, path: Path) -> None:
    """Raises ConfigError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft:
            draft.write_text(machine.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason(error)}); name another with --save") from error


def load_machine(path: Optional[Path] = None, threads: int = 1) -> Machine:
    """A saved machine, unless named the one that was measured here last with so many threads; raises ConfigError.

    One of another version of ONNX Runtime is refused: its kernels are others.
    """
    file = path or machine_file(threads)
    try:
        machine = Machine.model_validate(parse_json(read_text(file, 4 * MEBIBYTE)))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{file}: this machine was not measured on {threads} thread{'s' * (threads > 1)}; "
            f"`edgecvar bench machine --threads {threads}` does it in some two minutes"
        ) from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({reason(error)})") from error
    except ValueError as error:
        cause = mistake(error, Machine) if isinstance(error, ValidationError) else reason(error)
        raise ConfigError(f"{file}: not a machine saved by `edgecvar bench machine`: {cause}") from error
    here = str(onnx_runtime().__version__)
    if path is None and machine.onnxruntime != here:
        raise ConfigError(
            f"{file}: measured with ONNX Runtime {machine.onnxruntime}, and here is {here}; "
            f"run `edgecvar bench machine --threads {threads}` again"
        )
    return machine
