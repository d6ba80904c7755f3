"""The pipeline that reading the compressed video replaces: every picture decoded, and a network shown some of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.clock import Clock, NoClock
from edgecvar.errors import ConfigError, StreamError
from edgecvar.runners.runner import Runner, Step
from edgecvar.stream.clock import MAX_REORDER
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.decoders import decode, threaded_decoder

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

_PICTURES = (("image", "frame"), ("motion", "residual", "intra"))
"""Prepared inputs that a decoded picture may take the place of, those that are pictures themselves first."""


@dataclass(frozen=True)
class Look:
    """One pass of a network over one decoded picture: a stage with one input (channels, h, w), and its normalisation.

    A network without images is given its stage's number of colour planes: as much work, and nothing is decided. A stage
    with state hands it from one pass to the next; `state` has its shapes by name.
    """

    stage: str
    tensor: str
    shape: Tuple[int, int, int]
    mean: Tuple[float, float, float]
    std: Tuple[float, float, float]
    state: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def prepared(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB (h, w, 3) to float32 (1, channels, h, w), mean and deviation removed."""
        channels = self.shape[0]
        scaled = rgb[..., :channels].astype(np.float32)
        scaled *= np.divide(1 / 255, self.std[:channels], dtype=np.float32)
        scaled -= np.divide(self.mean[:channels], self.std[:channels], dtype=np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))[None]

    def begins_with(self) -> Dict[str, NDArray[np.float32]]:
        """The state that the first pass takes: zeros (1, *shape) by name."""
        return {name: np.zeros((1, *shape), np.float32) for name, shape in self.state.items()}


def look_of(manifest: Manifest) -> Look:
    """What a network makes of one picture alone: its first stage of one; raises ConfigError where it has none."""
    stages = [each for each in plan_stages(manifest.stages).stages if len(each.spec.inputs) == 1]
    alone = [each.spec for each in stages if not each.inputs[0].from_stage and each.inputs[0].tensor.segments is None]
    for sources in _PICTURES:
        for spec in alone:
            tensor = spec.inputs[0]
            if tensor.source in sources:
                size = manifest.input
                shape = manifest.input.shape(tensor.source)
                state = {each.name: each.shape for each in spec.state}
                return Look(spec.name, tensor.name, shape, size.image_mean, size.image_std, state)
    raise ConfigError(
        "no stage of this network looks at one picture alone, so there is no pass over a decoded one to compare with; "
        "take a bundle that has one, as the demo's `motion`"
    )


@dataclass(frozen=True)
class Shown:
    """A decoded picture: when its packet was there, by `time.monotonic`, and whether the network looked at it."""

    arrived: float
    looked: bool


def at_once(number: int) -> float:
    """The arrival of a packet that nothing is waited for."""
    return time.monotonic()


class Decoding:
    """Every picture decoded on `threads`; each `every`-th scaled by swscale to RGB and shown to the network once.

    Pictures that nobody looks at are not scaled. The runner must be entered.
    """

    def __init__(self, runner: Runner, look: Look, every: int, threads: int, clock: Optional[Clock] = None) -> None:
        self._runner, self._look, self._every, self._threads = runner, look, every, threads
        self._clock: Clock = clock or NoClock()
        self._scaler = VideoReformatter()
        self._begin()

    def pictures(self, video: OpenVideo, arrival: Callable[[int], Optional[float]] = at_once) -> Iterator[Shown]:
        """The pictures as they are shown. `arrival` is told a packet's number and waits for it; None ends the stream.

        What cannot be decoded is left out, as a viewer leaves it out.
        """
        context = threaded_decoder(video.context, self._threads)
        self._begin()
        moments: Dict[Optional[int], float] = {}
        for number, packet in enumerate(video.input.packets(video.stream)):
            newest = arrival(number)
            if newest is None:
                break
            if packet.size:
                moments[number] = newest
                moments.pop(number - MAX_REORDER - self._threads, None)  # of what could not be decoded
                packet.pts = packet.dts = number
                for frame in self._decoded(context, packet):
                    yield self._show(frame, moments.pop(frame.pts, newest))
        for frame in self._decoded(context, None):
            yield self._show(frame, moments.pop(frame.pts, time.monotonic()))

    def _begin(self) -> None:
        self._shown = 0
        self._state: Mapping[str, Any] = self._look.begins_with()

    def _decoded(self, context: VideoCodecContext, packet: Optional[Packet[Any]]) -> List[VideoFrame]:
        with self._clock.span("decode"), suppress(StreamError):
            return decode(context, packet)
        return []

    def _show(self, frame: VideoFrame, arrived: float) -> Shown:
        number, self._shown = self._shown, self._shown + 1
        if number % self._every:
            return Shown(arrived, False)
        _, height, width = self._look.shape
        with self._clock.span("scale"):
            scaled = self._scaler.reformat(frame, width, height, "rgb24")
            tensor = self._look.prepared(np.asarray(scaled.to_ndarray(), np.uint8))
        with self._clock.span(f"stage:{self._look.stage}"):
            launched = self._runner.launch(self._look.stage, {self._look.tensor: tensor, **self._state})
            if isinstance(launched, Step):
                launched, self._state = launched.output, launched.state
            self._runner.fetch(launched)
        return Shown(arrived, True)
