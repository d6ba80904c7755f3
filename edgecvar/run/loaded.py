"""What a model has loaded: an entered runner, that any thread may leave."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from typing import Any, Dict, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import EdgecvarError
from edgecvar.runners.runner import Runner
from edgecvar.runners.shared import DEADLINE, SharedRunner


class RunnerInTurns:
    """An entered runner, one call at a time: leaving it waits for the call under way, and what comes later is refused.

    A device's memory must not be freed under a stage, and the thread that closes a model need not be the one that runs.
    """

    def __init__(self, runner: Runner) -> None:
        self.name = runner.name
        self._stack = ExitStack()
        self._runner = self._stack.enter_context(runner)
        self._turn = threading.Lock()
        self._left = False

    def __enter__(self) -> RunnerInTurns:
        return self

    def __exit__(self, *exc: object) -> None:
        self._left = True  # before its turn, or the stages of a run would all have theirs
        with self._turn:
            self._stack.close()

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        with self._turn:
            self._check(stage)
            return self._runner.launch(stage, inputs)

    def fetch(self, value: Any) -> NDArray[np.float32]:
        with self._turn:
            self._check("its output")
            return self._runner.fetch(value)

    def _check(self, what: str) -> None:
        if self._left:
            raise EdgecvarError(f"{self.name}: the model was closed before {what} could be computed; run it again")


class LoadedRunner:
    """An entered runner, left by `close` or when nobody holds it any more: neither its model nor a run of its.

    With `max_batch` it is for several streams, see SharedRunner, as `deadline`.
    """

    def __init__(self, runner: Runner, max_batch: Optional[int] = None, deadline: float = DEADLINE) -> None:
        in_turns = RunnerInTurns(runner)
        self._shared = None if max_batch is None else SharedRunner(in_turns, max_batch, deadline)
        self.runner: Runner = self._shared or in_turns
        self.close = weakref.finalize(self, in_turns.__exit__)

    @property
    def batches(self) -> Dict[int, int]:
        """How many batches went through, by how many launches each was of."""
        return {} if self._shared is None else dict(self._shared.sizes)
