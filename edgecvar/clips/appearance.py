"""A window's appearance: its I-picture, prepared once and only where it is needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.clock import Clock
from edgecvar.clips.prepare import Preparer
from edgecvar.errors import StreamError
from edgecvar.stream.types import CodedPicture


@dataclass(frozen=True)
class Appearance:
    """An I-picture, or a recovered one, by its decode index, and its prepared image (3, h, w) if a stage takes one."""

    index: int
    image: Optional[NDArray[np.float32]]

    @property
    def prepared(self) -> NDArray[np.float32]:
        """The image, for a stage that takes it."""
        if self.image is None:
            raise AssertionError("an image that a stage takes was not prepared")
        return self.image


class AppearancePicture:
    """A picture with an image, which is decoded and prepared in the thread of `ahead` once a sampled picture needs it.

    Its pixels are then let go. Without a `preparer` no stage takes images, and none is decoded. One thread asks for it,
    and one waits for what it becomes.
    """

    def __init__(
        self, picture: CodedPicture, preparer: Optional[Preparer], ahead: ThreadPoolExecutor, clock: Clock
    ) -> None:
        self.wanted = False
        self._index = picture.decode_index
        self._picture: Optional[CodedPicture] = picture
        self._preparer = preparer
        self._ahead = ahead
        self._clock = clock
        self._made: Optional[Appearance] = None
        self._error: Optional[BaseException] = None
        self._ready = False
        self._news: SimpleQueue[None] = SimpleQueue()  # a signal may interrupt who waits here; see Channel

    def begin(self) -> None:
        """Have it prepared, if that has not begun."""
        picture, self._picture = self._picture, None
        if picture is None:
            return
        if self._preparer is None:
            self._made, self._ready = Appearance(self._index, None), True
        else:
            self._ahead.submit(self._make, picture, self._preparer)

    def want(self) -> AppearancePicture:
        """The same, which somebody will wait for."""
        self.wanted = True
        self.begin()
        return self

    def appearance(self) -> Optional[Appearance]:
        """What was wanted, as soon as it is there; None where its packet cannot be decoded.

        Raises StreamError where the stream gives no images.
        """
        if not self._ready:
            self._news.get()
        if self._error is not None:
            raise self._error
        return self._made

    def _make(self, picture: CodedPicture, preparer: Preparer) -> None:
        try:
            with self._clock.span("image", self._index):
                self._made = self._prepared(picture, preparer)
        except BaseException as error:  # whatever it is belongs to who waits
            self._error = error
        self._ready = True
        self._news.put(None)

    def _prepared(self, picture: CodedPicture, preparer: Preparer) -> Optional[Appearance]:
        try:
            planes = picture.content.planes()  # not kept by the picture
        except StreamError:
            return None
        if planes is None:
            raise StreamError(f"picture {self._index} has no image; the stream cannot be used from here on")
        return Appearance(self._index, preparer.image(planes))
