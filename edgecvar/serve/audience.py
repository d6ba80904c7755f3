"""Who hears of one stream: its lane on the board, the log."""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.serve.board import Board
from edgecvar.serve.lane import Lane, State
from edgecvar.serve.log import Log
from edgecvar.stream.types import CodedPicture, StreamInfo


class Audience:
    """Called by the stream's threads."""

    def __init__(self, lane: Lane, board: Board, log: Log) -> None:
        self._lane, self._board, self._log = lane, board, log

    def tell(self, state: State, why: str = "") -> None:
        why = why.partition(f"{self._lane.uri}: ")[2] or why  # whose error it is, the lane says
        if self._lane.tell(state, why):
            say = self._log.warning if state in ("away", "failed") else self._log.info
            say("stream " + state, stream=self._lane.name, why=why or None)

    def opened(self, info: StreamInfo) -> None:
        self._lane.opened(info)

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        self._lane.picture(picture, velocity)

    def decision(self, decision: Decision) -> None:
        self._lane.decision(decision)

    def counted(self, summary: RunSummary) -> None:
        self._lane.counted(summary)
