"""What FFmpeg attaches to a decoded frame: exported motion vectors, the display matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def exported_vectors(frame: VideoFrame) -> Optional[NDArray[np.void]]:
    """The motion vectors exported with a frame, one record each; None where there are none."""
    entry = _entry(frame, "MOTION_VECTORS")
    return None if entry is None else entry.to_ndarray()


def display_matrix(frame: VideoFrame) -> bytes:
    """The 36 bytes of a frame's display matrix; empty without one."""
    entry = _entry(frame, "DISPLAYMATRIX")
    return b"" if entry is None else bytes(entry)


def _entry(frame: VideoFrame, kind: str) -> Any:
    # frame.side_data would tie frame and container into a cycle, and frames would pile up until the next collection
    return SideDataContainer(frame).get(kind)  # type: ignore[call-arg]
