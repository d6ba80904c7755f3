"""Live sources, which go away and come back; files at the pace of a camera."""

from edgecvar.stream.live.absence import LATE as LATE
from edgecvar.stream.live.absence import OR_END as OR_END
from edgecvar.stream.live.absence import Patience as Patience
from edgecvar.stream.live.paced import PacedStream as PacedStream
from edgecvar.stream.live.stream import LiveStream as LiveStream
