"""Optical flow of the sampled pictures, for losses that learn from it: computed once, kept beside the clips.

A picture's flow is where its content came from: the velocity in pixels a frame since the picture displayed before it
(or, for the first one, up to the picture after it), on the picture's own grid, as its motion vectors are. So it is the
flow from the picture back to the one before it, with its sign turned. It is kept as it was found; in a batch it has the
units of the motion input and is cut where that is (`InputSpec.velocity_limit`), as DMC-Net's is, which was kept as
pictures by a tool whose usage says 20 pixels.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import ConfigError, DatasetError, StreamError, import_reason, reason
from edgecvar.files import check_writable, sha256_of, whole_file
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.data.store import unreadable
from edgecvar.train.progress import Listener
from edgecvar.train.settings import FlowSettings

VERSION = 1
"""Of what is kept: raised with every change to how it is computed."""
UNIT = 64
"""Kept vectors are int16 in 64ths of a pixel a frame: 512 pixels at most."""
PRESETS = {"ultrafast": 0, "fast": 1, "medium": 2}

UNREADABLE = (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile, zlib.error)
"""What a file that is not whole makes numpy raise."""

Field = NDArray[np.float32]
Pair = Callable[[Any, Any], Any]
"""(grey uint8 from, to) to vectors float32 (H, W, xy) in pixels."""


class FlowCache:
    """Flow of the clips of one data set, a file for each clip and settings; `folder` is made when it is needed.

    Raises ConfigError where nothing can be written to it, or OpenCV, or what the method needs of it, is missing.
    """

    def __init__(self, settings: FlowSettings, folder: Path) -> None:
        pair_of_pictures(settings)
        check_writable(folder, "set flow.cache")
        self._settings = settings
        method = f"{VERSION} {settings.model_dump_json(exclude={'cache'})}"
        self._folder = folder / hashlib.sha256(method.encode()).hexdigest()[:12]
        self._files: Dict[Path, Path] = {}

    def __contains__(self, path: Path) -> bool:
        """Whether every picture of a clip has its flow."""
        return path in self._files

    def fill(
        self, clips: Mapping[Path, ClipIndex], workers: int, skip_unreadable: bool, listener: Listener
    ) -> List[str]:
        """Compute what is not there yet, with a bar; returns a line for each clip that is left out.

        A clip of which other pictures are decoded than were read is one that is unreadable, since nothing says which
        flow is whose. Raises DatasetError for it, unless such clips may be skipped, and where flow cannot be kept.
        """
        with self._keeping():
            self._folder.mkdir(parents=True, exist_ok=True)
        left_out = []
        pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="flow")
        with listener.phase("optical flow", len(clips)), pool:
            futures = [pool.submit(self._one, path, index) for path, index in clips.items()]
            try:
                for path, future in zip(clips, futures):
                    try:
                        self._files[path] = future.result()
                    except StreamError as error:
                        left_out.append(unreadable(path, error, skip_unreadable))
                    listener.step()
            finally:
                for future in futures:
                    future.cancel()
        return left_out

    def add(self, path: Path, index: ClipIndex) -> None:
        """Compute one clip's where it is not there yet; raises StreamError for a clip that `fill` would leave out."""
        with self._keeping():
            self._folder.mkdir(parents=True, exist_ok=True)
        self._files[path] = self._one(path, index)

    def fields(self, path: Path, indices: Sequence[int]) -> List[Field]:
        """Velocities float32 (rows, columns, xy) of pictures by display index; raises DatasetError."""
        file = self._files[path]
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return [arrays[_member(index)].astype(np.float32) / UNIT for index in indices]
        except UNREADABLE as error:
            raise _spoilt(file, error) from error

    def _one(self, path: Path, index: ClipIndex) -> Path:
        extraction = index.info.extraction
        try:
            digest = sha256_of(path)[:32]
        except OSError as error:
            raise DatasetError(f"{path}: cannot read the clip ({reason(error)}); it could be read before") from error
        file = self._folder / f"{digest}-{extraction}.npz"
        if not file.is_file():
            fields: Dict[str, Any] = {
                _member(number): _fixed_point(field) for number, field in clip_flow(path, extraction, self._settings)
            }
            with self._keeping(), whole_file(file) as draft, draft.open("wb") as out:
                np.savez_compressed(out, **fields)
        decoded = _pictures_in(file)
        shown = {_member(number) for at, number in enumerate(index.display) if at not in index.hidden}
        if decoded != shown:
            counts = f"{len(shown)} pictures are read and {len(decoded)} decoded"
            raise StreamError(f"{counts}, so nothing says whose the optical flow of each is")
        return file

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = reason(error)
            raise DatasetError(f"{self._folder}: cannot keep optical flow there ({why}); set flow.cache") from error


def clip_flow(path: Path, extraction: str, settings: FlowSettings) -> Iterator[Tuple[int, Field]]:
    """(display index, velocity (rows, columns, xy) in pixels a frame) of every shown picture; raises StreamError.

    It ends where pictures are of another size.
    """
    pair = pair_of_pictures(settings)
    earlier = first = None
    for picture in decoded_pictures(path, extraction):
        grey, scale = _small_grey(picture.image, settings.side)
        if earlier is None:
            first = (picture.display_index, grey)
        elif grey.shape != earlier.shape:
            return
        else:
            back = _cells(-pair(grey, earlier) / scale, settings.cell)
            if first is not None:
                yield first[0], _cells(pair(first[1], grey) / scale, settings.cell)
                first = None
            yield picture.display_index, back
        earlier = grey


def pair_of_pictures(settings: FlowSettings) -> Pair:
    """The method's flow between two pictures; raises ConfigError where its package is missing."""
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ConfigError("optical flow needs OpenCV, which is not installed: pip install 'edgecvar[flow]'") from error
    except (ImportError, OSError) as error:
        raise ConfigError(f"optical flow needs OpenCV, which cannot be imported: {import_reason(error)}") from error
    library: Any = cv2
    if settings.method == "tvl1":
        contributed = getattr(library, "optflow", None)
        if contributed is None:
            raise ConfigError(
                "flow.method=tvl1 is in OpenCV's contrib package alone: pip install opencv-contrib-python-headless "
                "in place of opencv-python-headless, or set flow.method=dis"
            )
        method = contributed.DualTVL1OpticalFlow_create()
    else:
        method = library.DISOpticalFlow_create(PRESETS[settings.preset])
    return lambda source, target: method.calc(source, target, None)


def _small_grey(image: NDArray[np.uint8], side: int) -> Tuple[Any, NDArray[np.float32]]:
    """Grey uint8 with a short side of at most `side`, and its (x, y) scale to the picture's pixels."""
    import cv2

    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    factor = min(1.0, side / min(height, width))
    rows, columns = round(height * factor), round(width * factor)
    if factor < 1:
        grey = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA)
    return grey, np.array([columns / width, rows / height], np.float32)


def _cells(field: Any, cell: int) -> Field:
    """Means over cells of about `cell` x `cell` pixels; they cover the picture whole."""
    import cv2

    if cell == 1:
        return np.asarray(field, np.float32)
    size = (-(-field.shape[1] // cell), -(-field.shape[0] // cell))
    return np.asarray(cv2.resize(np.ascontiguousarray(field, np.float32), size, interpolation=cv2.INTER_AREA))


def _fixed_point(field: Field) -> NDArray[np.int16]:
    return np.clip(np.rint(field * UNIT), -32767, 32767).astype(np.int16)


def _member(index: int) -> str:
    return f"{index:06d}"


def _pictures_in(file: Path) -> Set[str]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return set(arrays.files)
    except UNREADABLE as error:
        raise _spoilt(file, error) from error


def _spoilt(file: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{file}: cannot read the optical flow ({reason(error)}); remove it and start again")
