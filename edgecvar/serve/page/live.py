"""One browser's WebSocket: state twice a second, pictures and motion of the streams that it shows."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Dict, List, Optional, Set, Tuple

from aiohttp import WSMsgType, web

from edgecvar.serve.lane import Lane
from edgecvar.serve.page.operations import Operations
from edgecvar.serve.page.view import jpeg_message, jpeg_of, motion_message
from edgecvar.stream.types import CodedPicture

TICK = 0.125
"""Seconds between two looks at pictures and motion."""
STATE_EVERY = 4
"""Ticks between two states."""
MOST_WATCHED = 64
LARGEST_MESSAGE = 1 << 14


class Pictures:
    """The newest picture of each stream as JPEG, made once for all who look, by one thread."""

    def __init__(self) -> None:
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="edgecvar-jpeg")
        self._made: Dict[Lane, Tuple[int, Optional[bytes]]] = {}

    async def of(self, lane: Lane) -> Tuple[int, Optional[bytes]]:
        """The picture's number, and its JPEG where it has one."""
        number, picture = lane.image
        known = self._made.get(lane)
        if known is None or known[0] != number:
            jpeg = None if picture is None else await self._make(picture, lane)
            known = self._made[lane] = (number, jpeg)
        return known

    def keep(self, lanes: List[Lane]) -> None:
        """Forget the others."""
        self._made = {lane: made for lane, made in self._made.items() if lane in lanes}

    async def _make(self, picture: CodedPicture, lane: Lane) -> Optional[bytes]:
        rotation = 0 if lane.info is None else lane.info.rotation
        return await asyncio.get_running_loop().run_in_executor(self._maker, jpeg_of, picture, rotation)

    def close(self) -> None:
        self._maker.shutdown(wait=False)


class Viewer:
    """What one browser has been sent, and which streams it shows."""

    def __init__(self, socket: web.WebSocketResponse, operations: Operations, pictures: Pictures) -> None:
        self._socket, self._operations, self._pictures = socket, operations, pictures
        self._watched: Set[Lane] = set()
        self._names: Set[str] = set()
        self._sent: Dict[Tuple[Lane, str], int] = {}
        self._points: Dict[Lane, int] = {}
        self._change = 0

    async def serve(self) -> None:
        """Until either side ends it."""
        sender = asyncio.ensure_future(self._send())
        try:
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    self._names = _watched(message.data)
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sender
            self._look(set())

    async def _send(self) -> None:
        """A browser that is slow is sent less: what is sent is always the newest."""
        try:
            await self._send_all()
        finally:
            await self._socket.close()

    async def _send_all(self) -> None:
        tick = 0
        while not self._socket.closed:
            self._look({lane for lane in self._operations.board.lanes if lane.name in self._names})
            if tick % STATE_EVERY == 0:
                await self._socket.send_str(json.dumps(self._state()))
            for lane in list(self._watched):
                await self._send_view(lane)
            tick += 1
            await asyncio.sleep(TICK)

    def _look(self, lanes: Set[Lane]) -> None:
        for lane in lanes - self._watched:
            lane.look(1)
        for lane in self._watched - lanes:
            lane.look(-1)
        self._watched = lanes

    def _state(self) -> Dict[str, Any]:
        board = self._operations.board
        lanes = board.lanes
        self._points = {lane: self._points.get(lane, -1) for lane in lanes}
        self._sent = {key: number for key, number in self._sent.items() if key[0] in lanes}
        self._pictures.keep(lanes)
        streams = []
        for lane in lanes:
            points = lane.points(self._points[lane])
            if points:
                self._points[lane] = points[-1].number
            shown = [[point.at, point.label, round(point.probability, 3)] for point in points]
            streams.append({**lane.document(), "id": board.number(lane.name), "points": shown})
        events = board.events(self._change)
        self._change = max([self._change, *(each.change for each in events)])
        return {
            **self._operations.facts(),
            "wrong": self._operations.wrong(),
            "streams": streams,
            "events": [each.document() for each in events],
        }

    async def _send_view(self, lane: Lane) -> None:
        stream = self._operations.board.number(lane.name)
        if stream < 0:  # it was removed meanwhile
            return
        number, jpeg = await self._pictures.of(lane)
        if jpeg is not None and self._sent.get((lane, "image")) != number:
            self._sent[lane, "image"] = number
            await self._socket.send_bytes(jpeg_message(stream, number, jpeg))
        number, motion = lane.motion
        if motion is not None and self._sent.get((lane, "motion")) != number:
            self._sent[lane, "motion"] = number
            await self._socket.send_bytes(motion_message(stream, number, motion))


def _watched(text: str) -> Set[str]:
    """The names that a browser's {"watch": [...]} asks for; none of anything else."""
    try:
        names = json.loads(text)["watch"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()
    if not isinstance(names, list):
        return set()
    return {name for name in names[:MOST_WATCHED] if isinstance(name, str)}
