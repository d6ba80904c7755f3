"""Stream to decisions: a reader thread prepares ahead, and the caller's thread runs the stages."""

from __future__ import annotations

import math
import time
from bisect import insort
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.exits import ExitChoice, exit_rules
from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import Clock, NoClock
from edgecvar.clips.feed import Demand, Excerpt, Feed, PictureStream, Watcher
from edgecvar.clips.messages import Coming, Message, SampledPicture, SecondWindow, Settled
from edgecvar.errors import BundleError, EdgecvarError
from edgecvar.run.decisions import Consensus, Decision, RunSummary, ended_by, ranked
from edgecvar.run.walk import Finished, StageWalk, Started
from edgecvar.runners.runner import Runner
from edgecvar.stream.sources.channel import Channel

AHEAD = 8
"""Sampled pictures that the reader may be ahead of inference: what comes while an I-picture of 720p is decoded."""

UNDER_WAY = "under way"
"""Of a run that has not ended, where the reason for its end will be."""


@dataclass(frozen=True)
class RunOptions:
    """How to run. `every`: sample one of every k pictures, as the spec says unless given; `top`: labels a decision.

    `release` is called when the run is left, before its reader thread is waited for: it must end a read that waits.
    `late`: of a live source, seconds after a picture's arrival from which on it is not run, and fewer are sampled.
    `exits`: how sure an early exit must be, as the bundle says unless given. `excerpt`: of a stream that is part of
    another, see `clips/feed.py`. `in_turn`: the caller's thread reads, too, for where other processes have the other
    cores: two threads of one interpreter hinder each other.
    """

    every: Optional[int] = None
    top: int = 5
    release: Optional[Callable[[], None]] = None
    clock: Clock = field(default_factory=NoClock)
    watcher: Optional[Watcher] = None
    late: Optional[float] = None
    exits: ExitChoice = "auto"
    excerpt: Optional[Excerpt] = None
    in_turn: bool = False


_DEFAULT = RunOptions()


@dataclass(frozen=True, order=True)
class _Waiting:
    """A sampled picture that waits to be decided on, in its place in display order."""

    display_index: int
    finished: Finished = field(compare=False)


class Recognition:
    """Decisions of one stream, in display order; iterate once, inside `with`, which ends the reader thread.

    The runner must be entered and the stream open for as long. What the reader raises is raised here.
    """

    def __init__(
        self, stream: PictureStream, manifest: Manifest, runner: Runner, options: RunOptions = _DEFAULT
    ) -> None:
        plan = plan_stages(manifest.stages)
        spec = manifest.input
        every = options.every or spec.every(stream.info.fps)
        demand = Demand(plan.sources, plan.adjacent, every, options.late, options.excerpt)
        self._stream = stream
        self._labels, self._kinds = manifest.labels, spec.kinds
        self._options = options
        self._feed = Feed(stream, spec, demand, options.clock)
        rules = exit_rules(manifest.stages, manifest.exits, options.exits)
        self._walk = StageWalk(plan, runner, options.clock, rules)
        self._consensus = Consensus(spec.consensus)
        self._waits = plan.adjacent
        self._waiting: List[Started] = []
        self._finished: List[_Waiting] = []
        self._settled = 0.0
        self._reasons: List[str] = []
        self._part = 0
        self._channel: Channel[Union[Message, Coming]] = Channel(2 * AHEAD)  # each is followed by at most one Settled
        self._thread = Thread(target=self._read, name="edgecvar-reader", daemon=True)
        self._messages = self._feed.coming(options.watcher, lambda: self._channel.awaited)
        self._decisions = self._left_out = 0
        self._ended = UNDER_WAY
        self._span: Tuple[Optional[float], Optional[float]] = (None, None)

    def __enter__(self) -> Recognition:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Decision]:
        if self._span[0] is not None:
            raise RuntimeError("a Recognition can be iterated once; open the stream again")
        self._span = (time.perf_counter(), None)
        return self._run()

    def leave(self) -> None:
        """Have it end, from any thread, and wait for nothing; decisions that are left are dropped."""
        if self._ended == UNDER_WAY:
            self._ended = "closed"
        self._channel.close()
        if self._options.release is not None:
            self._options.release()

    def close(self) -> None:
        """Stop the reader thread and wait for it; decisions that are left are dropped."""
        self.leave()
        if self._thread.ident is not None:
            self._thread.join()
        if self._span[0] is not None and self._span[1] is None:
            self._span = (self._span[0], time.perf_counter())

    @property
    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage, the state after the decision given last, as the runner has it; empty where no stage has any."""
        return self._walk.state

    @property
    def summary(self) -> RunSummary:
        """The counts so far, or of the whole run once it has ended."""
        counts, packets = self._feed.counts, self._stream.summary
        reasons = dict(packets.reasons)
        for reason, number in list(counts.unusable.items()):
            reasons[reason] = reasons.get(reason, 0) + number
        start, end = self._span
        wall = 0.0 if start is None else (time.perf_counter() if end is None else end) - start
        return RunSummary(
            pictures=counts.pictures,
            sampled=counts.sampled,
            decisions=self._decisions,
            skipped=packets.skipped + sum(counts.unusable.values()),
            reasons=reasons,
            wall_seconds=wall,
            stream_seconds=max(0.0, counts.last_pts - counts.first_pts) if counts.pictures else 0.0,
            ended=self._ended,
            damaged=packets.damaged,
            damage=dict(packets.damage),
            hidden=packets.hidden,
            other_layers=packets.other_layers,
            breaks=dict(packets.breaks),
            live=None if packets.live is None else replace(packets.live, thinned=counts.thinned + self._left_out),
            decoder=packets.decoder,
            fallbacks=dict(packets.fallbacks),
            exits=self._walk.exits.counts,
            kinds=self._kinds,
            broke_off=packets.broke_off,
        )

    def _read(self) -> None:
        """The reader thread."""
        try:
            for message in self._messages:
                if self._channel.closed or (message is not None and not self._channel.put(message)):
                    return
        except BaseException as error:  # whatever it is belongs to the caller
            self._channel.end(error)
        else:
            self._channel.end()
        finally:
            self._messages.close()

    def _run(self) -> Iterator[Decision]:
        if not self._options.in_turn:
            self._thread.start()
        try:
            failure: Optional[BaseException] = None
            while self._settled < math.inf:
                failure = self._step()
                try:
                    yield from self._decide()
                except EdgecvarError as later:
                    if failure is None:
                        raise
                    raise failure from later
            if failure is not None:
                raise failure
            if self._ended == UNDER_WAY:
                self._ended = ""
        except BaseException as error:
            self._ended = ended_by(error)
            raise
        finally:
            if self._options.in_turn:
                self._messages.close()
            self.close()
            self._waiting, self._finished = [], []
            self._walk.let_go()

    def _next(self) -> Union[Message, Coming, None]:
        """None at the end; raises what reading raises."""
        if not self._options.in_turn:
            return self._channel.take()
        for message in self._messages:
            if self._channel.closed:
                break
            if message is not None:
                return message
        return None

    def _step(self) -> Optional[BaseException]:
        """Deal with the next message, or with the end of the stream; what went wrong."""
        try:
            message = self._next()
            if message is None:
                # A stream that ends in its first window: the window is its own neighbour.
                self._release(None)
                self._settled = math.inf
            elif not isinstance(message, Coming):
                self._take(message)
            elif message.read_at is None or self._feed.pace.keeps(message.read_at):
                self._take(message.message())
            else:
                self._left_out += 1
        except BaseException as error:
            self._settled = math.inf  # what was scored before is sound
            return error
        return None

    def _take(self, message: Optional[Message]) -> None:
        if isinstance(message, SampledPicture):
            self._picture(message)
        elif isinstance(message, SecondWindow):
            self._release(message.appearance)
        elif isinstance(message, Settled):
            self._settled = message.below
        elif message is not None:
            self._release(None)
            self._walk.reopen()
            self._reasons.append(message.reason)

    def _picture(self, sampled: SampledPicture) -> None:
        started = self._walk.start(sampled)
        if self._waits and sampled.adjacent is None and started.left is None:
            self._waiting.append(started)
        else:
            self._finish(started, sampled.adjacent or sampled.current)

    def _release(self, neighbour: Optional[Appearance]) -> None:
        waiting, self._waiting = self._waiting, []
        for started in waiting:
            self._finish(started, neighbour or started.sampled.current)

    def _finish(self, started: Started, adjacent: Appearance) -> None:
        finished = self._walk.finish(started, adjacent)
        insort(self._finished, _Waiting(finished.sampled.display_index, finished))

    def _decide(self) -> Iterator[Decision]:
        """The decisions that no other can come before, in display order."""
        waiting = (started.sampled.display_index for started in self._waiting)
        below = min([self._settled, *waiting])
        while self._finished and self._finished[0].display_index < below:
            finished = self._finished.pop(0).finished
            yield self._decision(finished, self._scores(finished), self._opens(finished.sampled.part))

    def _scores(self, finished: Finished) -> NDArray[np.float32]:
        scores, sampled = self._walk.scores(finished), finished.sampled
        if not np.isfinite(scores).all():
            raise BundleError(
                f"stage {self._walk.first_not_finite(finished)}: NaN or infinity for picture {sampled.display_index} "
                f"({sampled.pts_seconds:.2f} s), so nothing can be decided; see `edgecvar verify`, and try another "
                "--precision"
            )
        return scores

    def _opens(self, part: int) -> str:
        """Why the stream broke before the first decision of this part; empty for the others."""
        if part <= self._part:
            return ""
        passed, self._part = part - self._part, part
        reasons, self._reasons = self._reasons[:passed], self._reasons[passed:]
        self._consensus.reopen()
        return ", ".join(dict.fromkeys(reasons))

    def _decision(self, finished: Finished, scores: NDArray[np.float32], opens: str) -> Decision:
        sampled = finished.sampled
        with self._options.clock.span("decide", sampled.decode_index):
            probabilities = self._consensus.push(scores)
            top = ranked(self._labels, probabilities, self._options.top)
        self._decisions += 1
        return Decision(
            pts_seconds=sampled.pts_seconds,
            display_index=sampled.display_index,
            decode_index=sampled.decode_index,
            label=top[0][0],
            probability=top[0][1],
            top=top,
            latency_ms=(time.perf_counter() - sampled.read_at) * 1000,
            scores=scores,
            opens=opens,
        )


def recognize(stream: PictureStream, manifest: Manifest, runner: Runner, options: RunOptions = _DEFAULT) -> Recognition:
    """Decisions of `stream`: `with recognize(...) as decisions: for decision in decisions: ...; decisions.summary`."""
    return Recognition(stream, manifest, runner, options)
