"""A decoder of I-pictures on a device that may hang: it has a thread of its own, for which nobody waits long."""

from __future__ import annotations

import threading
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, Union

from edgecvar.errors import DeviceError, EdgecvarError, StreamError, reason
from edgecvar.stream.images.decoder import CodedPlanes, Device, NotRewritten

if TYPE_CHECKING:
    from edgecvar.stream.native._core import IdrWriter

_GRACE_SECONDS = 0.5
"""Waited for beyond what the device is given: it says better what is wrong."""
_CLOSING_SECONDS = 0.5

_Answer = Union[CodedPlanes, BaseException]
_Question = Tuple[bytes, float, "SimpleQueue[_Answer]"]


class HardwareDecoder:
    """An ImageDecoder called `name`, of the device that `begin` gives; pictures are written anew by `writer` of `core`.

    Once a call has failed the device is in an unknown state: the decoder is to be closed. One that hangs is left to
    its thread, which closes it when it goes on, or ends with the process.
    """

    def __init__(self, name: str, begin: Callable[[], Device], core: Any, writer: IdrWriter) -> None:
        self.name = name
        self._core, self._writer = core, writer
        self._asked: SimpleQueue[Optional[_Question]] = SimpleQueue()
        self._awaited: Optional[SimpleQueue[_Answer]] = None
        thread = threading.Thread(target=_serve, args=(begin, self._asked), name=f"decoder {name}", daemon=True)
        thread.start()
        self._end = weakref.finalize(self, _finish, self._asked, thread)

    def planes(self, sets: bytes, packet: bytes, seconds: float) -> CodedPlanes:
        """Raises NotRewritten, StreamError where the device gives none, DeviceError where there is no device."""
        try:
            unit = self._writer.write(sets, packet)
        except (self._core.Damage, self._core.Unsupported) as error:
            raise NotRewritten(str(error)) from error
        answers: SimpleQueue[_Answer] = SimpleQueue()
        self._awaited = answers
        self._asked.put((unit, seconds, answers))
        try:
            answer = answers.get(timeout=seconds + _GRACE_SECONDS)
        except Empty:
            raise StreamError(f"no answer within {seconds + _GRACE_SECONDS:g} s") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """Ends the thread, or leaves it where it hangs; whoever waits for a picture gets a StreamError."""
        awaited = self._awaited
        if awaited is not None:
            awaited.put(StreamError("the decoder was closed"))
        self._end()


def _serve(begin: Callable[[], Device], asked: SimpleQueue[Optional[_Question]]) -> None:
    """The thread: the device begins with the first picture."""
    device: Optional[Device] = None
    question = asked.get()
    while question is not None:
        unit, seconds, answers = question
        try:
            device = device or begin()
            answers.put(device.decode(unit, seconds))
        except EdgecvarError as error:
            answers.put(error)
        except Exception as error:  # whatever a library raises is why there is no picture
            answers.put(DeviceError(reason(error)) if device is None else StreamError(reason(error)))
        question = asked.get()
    if device is not None:
        device.close()


def _finish(asked: SimpleQueue[Optional[_Question]], thread: threading.Thread) -> None:
    asked.put(None)
    if thread is not threading.current_thread():
        thread.join(_CLOSING_SECONDS)
