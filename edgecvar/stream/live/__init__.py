"""Sources that go away and come back."""

from edgecvar.stream.live.absence import LATE as LATE
from edgecvar.stream.live.absence import Patience as Patience
from edgecvar.stream.live.stream import LiveStream as LiveStream
