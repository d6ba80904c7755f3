"""One case of a bundle on a device: its stages, its streams, its host, so that each can be changed alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.predict.engines import StageWork, Target, call_ms, layer_times
from edgecvar.predict.fitted import EngineModel
from edgecvar.predict.host.counts import StreamCounts
from edgecvar.predict.host.scale import Host, host_part, host_rate, host_time
from edgecvar.predict.prediction import HostTime, Interval, StageTime

HOST_PARTS = {"read": "reading the stream", "prepare": "preparing the inputs", "image": "decoding I-pictures"}


@dataclass(frozen=True)
class Case:
    """`gop`: pictures from one I-picture to the next; `batch`: streams whose pictures go through a stage together.

    `side`: of its inputs, over that of the bundle's. `exchanged`: stages whose backbone is another than the bundle's.
    `corrected_by`: the device's sessions that are in the model. `assumed`: what is not known of the device, in words.
    """

    bundle: Bundle
    precision: Precision
    works: Tuple[StageWork, ...]
    target: Target
    model: EngineModel
    counts: StreamCounts
    host: Host
    every: int
    streams: int = 1
    batch: int = 1
    gop: Optional[float] = None
    side: float = 1.0
    exchanged: Tuple[str, ...] = ()
    corrected_by: Tuple[str, ...] = ()
    assumed: Tuple[str, ...] = ()

    @property
    def stages(self) -> List[StageTime]:
        """Each stage's call, a stream's share of it, and its layers."""
        gpu, model = self.target.gpu, self.model.of(self.target.device.name)
        return [
            StageTime(
                stage=work.spec.name,
                cadence=work.spec.cadence,
                per_sample=self._per_sample(work),
                ms=call_ms(work.layers, gpu, model, self.batch).times(1 / self.batch),
                layers=layer_times(work.layers, gpu, model, self.batch),
            )
            for work in self.works
        ]

    def engine_ms(self) -> Interval:
        """Of the stages, a sampled picture: one after the other, and at best those that may be wholly side by side."""
        gpu, model = self.target.gpu, self.model.of(self.target.device.name)
        lowest: Dict[str, float] = {}
        likely = high = 0.0
        for work in self.works:
            own = call_ms(work.layers, gpu, model, self.batch).times(self._per_sample(work) / self.batch)
            before = max((lowest.get(each.source, 0.0) for each in work.spec.inputs), default=0.0)
            lowest[work.spec.name] = own.low + before
            likely, high = likely + own.likely, high + own.high
        return Interval(low=max(lowest.values()), likely=likely, high=high)

    def host_ms(self) -> HostTime:
        """Of what runs beside the engine, a picture of the stream."""
        manifest = self.bundle.manifest
        return host_time(self.counts, manifest.input, manifest.stages, self.every, self.host)

    def rate(self) -> Interval:
        """Pictures a second of all streams together: of what runs beside each other the slower counts."""
        engine = self.engine_ms().times(1 / self.every).rate()
        host = host_rate(self.host_ms(), self.streams)
        return Interval(
            low=min(engine.low, host.low), likely=min(engine.likely, host.likely), high=min(engine.high, host.high)
        )

    def bottleneck(self) -> str:
        """The part that bounds the rate, in words."""
        engine = self.engine_ms().times(1 / self.every).rate()
        host_ms = self.host_ms()
        if host_rate(host_ms, self.streams).likely >= engine.likely:
            return longest_stage(self.stages)
        return HOST_PARTS[host_part(host_ms, self.streams)]

    def _per_sample(self, work: StageWork) -> float:
        """What runs once an I-picture is shared by the pictures sampled between two of them."""
        if work.spec.cadence == "picture":
            return 1.0
        return min(1.0, self.every / (self.gop or self.counts.gop))


def longest_stage(stages: Sequence[StageTime]) -> str:
    """The stage that takes most of a sampled picture, in words."""
    shares = {each.stage: each.ms.likely * each.per_sample for each in stages}
    stage = max(shares, key=lambda name: shares[name])
    return f"the stage {stage} ({shares[stage] / max(sum(shares.values()), 1e-9):.0%} of the engine's time)"
