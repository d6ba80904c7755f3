"""Networks side by side: how often each is right, and how many pictures a second it handles on this CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Dict, List, Optional, Sequence

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bench.extract import in_turn
from edgecvar.bench.measure import BenchConfig, measure
from edgecvar.bench.session import Session
from edgecvar.bench.summary import summarise
from edgecvar.bundle.default import default_clip
from edgecvar.bundle.manifest import Bundle
from edgecvar.errors import DatasetError
from edgecvar.judge.evaluate import EvalConfig, find_clips, score_clips, tally
from edgecvar.progress import Progress


class NetworksConfig(BaseModel):
    """`data`: class folders that top-1 is of, and `match` which of its files; without it there is no top-1.

    `source`: the clip that each network runs on, by default the demo's, `rounds` times for `seconds` each, on ONNX
    Runtime in fp32 with `threads` threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Optional[Path] = None
    match: Optional[str] = None
    source: Optional[Path] = None
    rounds: int = Field(3, ge=1)
    seconds: float = Field(5.0, gt=0, le=86_400)
    threads: Optional[int] = Field(None, ge=1, le=1024)


@dataclass(frozen=True)
class Candidate:
    """A network as a bundle, and its cost: multiply-adds of one decision when nothing is kept."""

    name: str
    checkpoint: Path
    bundle: Bundle
    parameters: int
    multiply_adds: int


class Accuracy(BaseModel):
    """Of `clips` readable ones, one at least, a network got `right`; those it did not decide on count as wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: int = Field(ge=1)
    right: int
    undecided: int
    unreadable: int

    @property
    def top1(self) -> float:
        return self.right / self.clips


class Round(BaseModel):
    """One measurement: pictures of the stream, and sampled ones, a second, decoding included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures_per_second: float
    samples_per_second: float


class NetworkFigures(BaseModel):
    """A network's figures; `height` x `width` is what it looks at, every `every`-th picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    checkpoint: str
    height: int
    width: int
    every: int
    parameters: int
    multiply_adds: int
    accuracy: Optional[Accuracy] = None
    rounds: List[Round]

    @property
    def pictures_per_second(self) -> float:
        """The median of the rounds."""
        return median(each.pictures_per_second for each in self.rounds)

    @property
    def samples_per_second(self) -> float:
        """The median of the rounds."""
        return median(each.samples_per_second for each in self.rounds)


class NetworksSession(BaseModel):
    """What was measured on what; `source_size` is (width, height)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Dict[str, str]
    runner: str
    precision: str
    source: str
    source_size: List[int]
    source_fps: float
    data: Optional[str]
    match: Optional[str]
    seconds: float
    networks: List[NetworkFigures]


def measure_networks(candidates: Sequence[Candidate], config: NetworksConfig, progress: Progress) -> NetworksSession:
    """Test every network, then measure all of them in turn; raises EdgecvarError."""
    accuracies = [_accuracy(each, config, progress) for each in candidates]
    sessions: Dict[str, List[Session]] = {each.name: [] for each in candidates}
    by_name = {each.name: each for each in candidates}
    for number in range(config.rounds):
        for place, name in enumerate(in_turn(list(by_name), number)):
            done = number * len(by_name) + place
            progress(done, config.rounds * len(by_name), f"measure {name}, round {number + 1} of {config.rounds}")
            sessions[name].append(_measured(by_name[name].bundle, config))
    first = sessions[candidates[0].name][0]
    return NetworksSession(
        machine=first.machine,
        runner=first.runner,
        precision=first.precision,
        source=first.source,
        source_size=[first.width, first.height],
        source_fps=first.stream_fps,
        data=None if config.data is None else str(config.data),
        match=config.match,
        seconds=config.seconds,
        networks=[_figures(each, accuracy, sessions[each.name]) for each, accuracy in zip(candidates, accuracies)],
    )


def _measured(bundle: Bundle, config: NetworksConfig) -> Session:
    return measure(
        BenchConfig(
            source=str(config.source or default_clip()),
            bundle=bundle.path,
            seconds=config.seconds,
            runner="onnx",
            precision="fp32",
            threads=config.threads,
        )
    )


def _accuracy(candidate: Candidate, config: NetworksConfig, progress: Progress) -> Optional[Accuracy]:
    """What `edgecvar eval` would say; None without clips to test on."""
    if config.data is None:
        return None
    bundle = candidate.bundle
    clips = find_clips(config.data, bundle.manifest.labels, config.match)
    test = EvalConfig(bundle=bundle.path, folder=config.data, runner="onnx", precision="fp32", threads=config.threads)
    results = []
    for result in score_clips(bundle, clips, test):
        results.append(result)
        progress(len(results), len(clips), f"test {candidate.name}")
    evaluation = tally(bundle.manifest.labels, results)
    if not evaluation.clips:
        raise DatasetError(
            f"{config.data}: none of its {len(clips)} clips can be read: {evaluation.unreadable[0].error}"
        )
    return Accuracy(
        clips=evaluation.clips,
        right=int(evaluation.confusion.trace()),
        undecided=len(evaluation.undecided),
        unreadable=len(evaluation.unreadable),
    )


def _figures(candidate: Candidate, accuracy: Optional[Accuracy], sessions: Sequence[Session]) -> NetworkFigures:
    summaries = [summarise(session) for session in sessions]
    spec = candidate.bundle.manifest.input
    return NetworkFigures(
        name=candidate.name,
        checkpoint=str(candidate.checkpoint),
        height=spec.height,
        width=spec.width,
        every=sessions[0].every,
        parameters=candidate.parameters,
        multiply_adds=candidate.multiply_adds,
        accuracy=accuracy,
        rounds=[
            Round(pictures_per_second=each.pictures_per_second, samples_per_second=each.samples_per_second)
            for each in summaries
        ],
    )
