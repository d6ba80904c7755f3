"""A bundle ready to run: sources in, decisions out."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, List, Optional, Union

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.engines import Converter
from edgecvar.bundle.exits import ExitChoice
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.feed import Watcher
from edgecvar.clips.spec import LARGEST_STRIDE, InputSpec
from edgecvar.config import from_flags
from edgecvar.errors import ConfigError, EdgecvarError, named
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.loaded import LoadedRunner
from edgecvar.run.recognizer import Recognition, RunOptions, recognize
from edgecvar.run.trace import NOBODY, Observers
from edgecvar.runners.choice import RunnerChoice, make_runner
from edgecvar.stream.live import LiveStream, PacedStream, Patience
from edgecvar.stream.packets import PacketTap
from edgecvar.stream.reader import Stream
from edgecvar.stream.sources.address import is_live, scheme_of
from edgecvar.stream.sources.opening import TIMEOUT, source_name
from edgecvar.stream.types import StreamInfo

Source = Union[str, Path, BinaryIO]


@dataclass(frozen=True)
class RunSettings:
    """`every`: sample one of every k pictures, as the bundle says unless given; `top`: labels a decision; `timeout`:
    seconds without data after which the source is given up; `extraction`: how vectors are got, and `decoder`: what
    decodes I-pictures, see `open_stream`.

    A live URI is waited for as `patience` says, and not opened again where `reconnect` is False; another URL is waited
    for only where that is True, and a file never. `tell` is given what there is to say of it.
    `watch` is called with what is known of the stream before its first picture, and may give a watcher of all pictures.
    `tap` sees its packets. `paced`: a file comes at its own speed, as a camera would send it. `observers` are told what
    is done when, under the source's name. `exits`: how sure an early exit must be, see `bundle/exits.py`.
    """

    every: Optional[int] = None
    top: int = 5
    timeout: float = TIMEOUT
    extraction: str = "auto"
    watch: Callable[[StreamInfo], Optional[Watcher]] = field(default=lambda info: None)
    tap: Optional[PacketTap] = None
    reconnect: Optional[bool] = None
    patience: Patience = field(default_factory=Patience)
    tell: Callable[[str], None] = field(default=lambda line: None)
    paced: bool = False
    decoder: str = "auto"
    observers: Observers = NOBODY
    exits: ExitChoice = "auto"


_DEFAULT = RunSettings()


AnyStream = Union[Stream, LiveStream, PacedStream]


def opened(source: Source, settings: RunSettings, frames: bool) -> AnyStream:
    """The stream of a source; that of a live one is not waited for."""
    asked = partial(Stream, extraction=settings.extraction, timeout=settings.timeout, decoder=settings.decoder)
    opening = partial(asked, frames=frames, on_demand=True)
    waited_for = is_live(source) or (settings.reconnect is True and scheme_of(source) not in ("", "file"))
    if not waited_for or not isinstance(source, str):
        stream = opening(source, tap=settings.tap)
        return PacedStream(stream) if settings.paced else stream
    patience = replace(settings.patience, reconnect=settings.reconnect is not False)
    return LiveStream(source, opening, patience, settings.tell, settings.tap)


def load(
    bundle: Union[str, Path, None] = None,
    *,
    runner: str = "auto",
    precision: Optional[Precision] = None,
    threads: Optional[int] = None,
    device: Optional[str] = None,
    dla: Optional[int] = None,
    converter: Converter = "onnx",
    trust: Union[str, Path, None] = None,
) -> Model:
    """The model of a bundle's folder, by default of the one that the package ships.

    `runner` is "onnx", "trt", or "auto": TensorRT where it can be imported, else ONNX Runtime. `precision` is "fp32",
    "fp16" or "int8", by default fp32 on ONNX Runtime and fp16 on TensorRT. `threads` are those of ONNX Runtime;
    `device` (a Jetson's name), `dla` (a core) and `converter` are for TensorRT.
    `trust`: a file of public keys, one of which must have signed the bundle. Raises BundleError and ConfigError;
    nothing is loaded before the first run.
    """
    choice = {"runner": runner, "precision": precision, "threads": threads}
    choice.update(device=device, dla=dla, converter=converter)
    keys = None if trust is None else Path(trust)
    opened = open_bundle(default_bundle() if bundle is None else Path(bundle), keys)
    return Model(opened, from_flags(RunnerChoice, choice))


class Model:
    """A bundle with the runner that runs it: loaded at the first run, freed by `close`, `with`, or with the object.

    A run that is begun ends the one before it: for several at a time, load several models.
    """

    def __init__(self, bundle: Bundle, choice: RunnerChoice) -> None:
        self.bundle = bundle
        self._runner = make_runner(bundle, choice)
        self._loaded: Optional[LoadedRunner] = None
        self._last: Callable[[], Union[Run, AnyStream, None]] = lambda: None
        self._recognition: Optional[Recognition] = None
        self._lock = threading.Lock()

    @property
    def labels(self) -> List[str]:
        """The classes, in the order of the scores."""
        return list(self.bundle.manifest.labels)

    @property
    def input(self) -> InputSpec:
        """What the network sees: size, scale, cadence."""
        return self.bundle.manifest.input

    @property
    def untrained(self) -> bool:
        """Whether the weights are random, so that the labels mean nothing."""
        return self.bundle.manifest.provenance.untrained

    @property
    def summary(self) -> Optional[RunSummary]:
        """The counts of the newest run, None before the first."""
        return None if self._recognition is None else self._recognition.summary

    def run(
        self,
        source: Source,
        *,
        every: Optional[int] = None,
        top: int = 5,
        timeout: float = TIMEOUT,
        extraction: str = "auto",
        reconnect: Optional[bool] = None,
        decoder: str = "auto",
        exits: ExitChoice = "auto",
    ) -> Run:
        """Decisions of a video, in display order: a path, a URL or a binary file object.

        `every`: sample one of every k pictures, as the bundle says unless given; `top`: labels listed with a decision;
        `timeout`: seconds without data after which the source is given up; `extraction` and `decoder`: as `open_stream`
        has them; `reconnect`: whether a URL is waited for, and opened again when it goes away, by default a camera's or
        another live one's; `exits`: of a network with early exits, "auto" leaves where the bundle says, "off" nowhere,
        and a number where an exit is so confident. The source is opened here, which raises StreamError; what goes wrong
        later is raised where decisions are taken.
        """
        for name, value, most in (("every", every, LARGEST_STRIDE), ("top", top, 1000)):
            if value is not None and (not isinstance(value, int) or not 1 <= value <= most):
                raise ConfigError(f"{name}={value!r}: expected a whole number from 1 to {most}")
        settings = RunSettings(every, top, timeout, extraction, reconnect=reconnect, decoder=decoder, exits=exits)
        return self.start(source, settings)

    def start(self, source: Source, settings: RunSettings = _DEFAULT) -> Run:
        """As `run`, with a watcher of the pictures; raises BundleError, ConfigError or DeviceError where it loads."""
        with self._lock:
            self._end_last()
            if self._loaded is None:
                self._loaded = LoadedRunner(self._runner)
            loaded = self._loaded
            stream = opened(source, settings, takes_frames(self.bundle.manifest.stages))
            if not isinstance(stream, LiveStream):
                return self._begun(loaded, source, stream, settings)
            waited = self._last = lambda: stream  # others may close it, or begin another run, while it is waited for
        try:
            _ = stream.info
            with self._lock:
                if self._last is not waited:
                    raise EdgecvarError(f"{source_name(source)}: this run was ended by another one of its model")
                return self._begun(loaded, source, stream, settings)
        except BaseException:
            stream.close()
            raise

    def _begun(self, loaded: LoadedRunner, source: Source, stream: AnyStream, settings: RunSettings) -> Run:
        run = Run(self.bundle, loaded, source_name(source), stream, settings)
        # A run that its caller forgets is ended, and its source closed: only its summary is asked for here.
        self._last, self._recognition = weakref.ref(run), run._recognition
        return run

    def close(self) -> None:
        """End the newest run and free what is loaded, once a stage under way is done; the next run loads it again."""
        with self._lock:
            self._end_last()
            if self._loaded is not None:
                self._loaded.close()
                self._loaded = None

    def _end_last(self) -> None:
        last = self._last()
        if last is not None:
            last.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        spec, untrained = self.input, ", untrained" if self.untrained else ""
        size = f"{spec.width} x {spec.height}"
        return f"<Model {self.bundle.name}: {len(self.labels)} classes, {size}, {self._runner.name}{untrained}>"


class Run:
    """The decisions of one source, to be taken once; leaving the loop, `close`, `with` or forgetting it ends it.

    `info` is what is known of the stream; `summary` counts as it goes. `next` takes one, and a loop then the others.
    """

    def __init__(
        self,
        bundle: Bundle,
        loaded: LoadedRunner,
        name: str,
        stream: AnyStream,
        settings: RunSettings = _DEFAULT,
    ) -> None:
        self._name = name
        self._loaded = loaded
        self._stack = ExitStack()
        self._stack.enter_context(stream)
        try:
            self.info: StreamInfo = stream.info
            options = RunOptions(
                every=settings.every,
                top=settings.top,
                release=stream.leave,
                watcher=settings.watch(stream.info),
                late=settings.patience.late if isinstance(stream, LiveStream) else None,
                clock=settings.observers.clock(name),
                exits=settings.exits,
            )
            self._recognition: Recognition = recognize(stream, bundle.manifest, loaded.runner, options)
        except BaseException:
            self._stack.close()
            raise
        self._stack.callback(self._recognition.close)
        self._begun = self._closed = False
        self._taken: Optional[Iterator[Decision]] = None
        weakref.finalize(self, self._stack.close)

    @property
    def summary(self) -> RunSummary:
        """The counts so far, or of the whole run once it has ended."""
        return self._recognition.summary

    def __next__(self) -> Decision:
        self._taken = self._taken or iter(self)
        return next(self._taken)

    def __iter__(self) -> Iterator[Decision]:
        taken, self._taken = self._taken, None
        if taken is not None and not self._closed:
            return taken
        if self._begun or self._closed:
            raise EdgecvarError(
                f"{self._name}: a run gives its decisions once, and none when it was closed, or ended by another one "
                "of its model; run it again"
            )
        self._begun = True
        return self._decide()

    def _decide(self) -> Iterator[Decision]:
        try:
            for decision in self._recognition:
                yield decision
                if self._closed:
                    break
        except EdgecvarError as error:
            if not self._closed:  # else it is the end of a stream that was taken away
                raise named(self._name, error) from error
        else:
            if not self._closed:
                return
        finally:
            self.close()
        raise EdgecvarError(f"{self._name}: this run was closed, or ended by another one of its model")

    def leave(self) -> None:
        """Have it end, from any thread, and wait for nothing: whoever takes decisions gets no more, and closes it."""
        self._closed = True
        self._recognition.leave()

    def close(self) -> None:
        """Stop reading and let go of the source; the summary stays."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "under way" if self._begun else "ready"
        return f"<Run of {self._name}: {self.summary.decisions} decisions, {state}>"
