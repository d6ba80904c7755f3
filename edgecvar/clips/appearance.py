"""A window's appearance: its I-picture, prepared once and only where it is needed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

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
    """A picture with an image that is prepared when a sampled picture first needs it, and its pixels then let go.

    Without a `preparer` no stage takes images, and none is decoded. With `ahead` it is prepared there, at once.
    """

    def __init__(
        self, picture: CodedPicture, preparer: Optional[Preparer], ahead: Optional[ThreadPoolExecutor] = None
    ) -> None:
        self.used = False
        self._index = picture.decode_index
        self._picture: Optional[CodedPicture] = picture
        self._preparer = preparer
        self._appearance: Optional[Appearance] = None
        self._coming: Optional[Future[Optional[Appearance]]] = None
        if ahead is not None and preparer is not None:
            self._coming = ahead.submit(self._prepare, picture, preparer)

    def appearance(self) -> Optional[Appearance]:
        """None where its packet cannot be decoded; raises StreamError where the stream gives no images."""
        self.used = True
        if self._picture is not None:
            picture, self._picture = self._picture, None
            coming, self._coming = self._coming, None
            if self._preparer is None:
                self._appearance = Appearance(self._index, None)
            elif coming is not None:
                self._appearance = coming.result()
            else:
                self._appearance = self._prepare(picture, self._preparer)
        return self._appearance

    def _prepare(self, picture: CodedPicture, preparer: Preparer) -> Optional[Appearance]:
        try:
            planes = picture.content.planes()  # not kept by the picture
        except StreamError:
            return None
        if planes is None:
            raise StreamError(f"picture {self._index} has no image; the stream cannot be used from here on")
        return Appearance(self._index, preparer.image(planes))
