"""A service: its streams, its page, what it is told by signals."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Dict, Iterator, List, Optional

from pydantic import ValidationError

from edgecvar import __version__
from edgecvar.bundle.manifest import Bundle
from edgecvar.config import mistakes
from edgecvar.errors import ConfigError, EdgecvarError, reason, unknown_name
from edgecvar.runners.choice import RunnerChoice
from edgecvar.serve.board import Board
from edgecvar.serve.configuration.added import Added, added_file
from edgecvar.serve.configuration.config import MOST_SOURCES, ServeConfig, SourceConfig, check_name
from edgecvar.serve.configuration.loading import WrongConfig, check_config, load_config
from edgecvar.serve.device import power_watts, temperature_celsius
from edgecvar.serve.lane import Lane
from edgecvar.serve.log import Log
from edgecvar.serve.notify import Notifier
from edgecvar.serve.outlets import Outlets
from edgecvar.serve.page.door import Page, open_page
from edgecvar.serve.page.trial import look_at
from edgecvar.serve.session import Hearing, Session
from edgecvar.serve.streams import Streams
from edgecvar.sinks.delivery.opening import DeliveryOptions
from edgecvar.stream.sources.opening import without_password

END_SECONDS = 0.3
"""For which deliveries, and the page, are waited for at the end, after the streams."""
LOOK_EVERY = 1.0
"""Seconds between two looks at whether all is well."""
RUNNER_KEYS = set(RunnerChoice.model_fields) | {"bundle"}


class Service:
    """Runs a configuration until it is told to stop; the streams that a reload leaves as they are go on.

    The page calls it from its own threads.
    """

    def __init__(self, file: Path, config: ServeConfig, bundle: Bundle, log: Log) -> None:
        self.board = Board()
        self._file, self._config, self._bundle, self._log = file, config, bundle, log
        self._added = Added(added_file(file, config.state))
        self._notifier = Notifier()
        self._told: SimpleQueue[str] = SimpleQueue()
        self._turn = threading.RLock()
        self._running: Dict[str, SourceConfig] = {}
        self._streams = Streams(bundle, config)
        self._outlets = Outlets(DeliveryOptions(self._added.file.parent / "spool"))
        self._hearing = self._hears(config)
        self._page: Optional[Page] = None
        self._begun = time.time()
        self._measured: Dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Of the page; empty without one."""
        return "" if self._page is None else self._page.url

    def run(self) -> None:
        """Until `stop`, SIGTERM or SIGINT; SIGHUP reloads."""
        with _signals(self._told):
            try:
                self._start()
                self._serve()
            finally:
                self._end()

    def stop(self) -> None:
        """From any thread."""
        self._told.put("stop")

    def reload(self) -> None:
        """From any thread."""
        self._told.put("reload")

    def _start(self) -> None:
        self._page = open_page(self._config.page, self)
        self._log.info("start", version=__version__, bundle=self._bundle.name, page=self.url or None)
        if self._bundle.manifest.provenance.untrained:
            self._log.warning("untrained", bundle=self._bundle.name, why="its weights are random: labels mean nothing")
        self._settle()
        self._notifier.ready(f"{len(self._running)} streams")

    def _serve(self) -> None:
        interval = min(LOOK_EVERY, self._notifier.interval or LOOK_EVERY)
        while True:
            try:
                told = self._told.get(timeout=interval)
            except Empty:
                self._look()
                continue
            if told.startswith("stop"):
                self._log.info("stop", signal=told.partition(" ")[2] or None)
                return
            self._reload()

    def _look(self) -> None:
        """Measure the machine; feed the watchdog, unless something is wrong that only a new start mends."""
        self._measured = {"celsius": temperature_celsius(), "watts": power_watts()}
        with self._turn:
            self._streams.tend()
        broken = self._broken()
        if broken:
            self._log.error("broken", why="; ".join(broken))
            self._notifier.unwell(broken[0])
        else:
            running = sum(lane.state[0] == "running" for lane in self.board.lanes)
            self._notifier.well(f"{running} of {len(self.board.lanes)} streams running")

    def _broken(self) -> List[str]:
        stuck = ["the page does not answer"] if self._page is not None and not self._page.answers() else []
        still = ["no stream has had a decision for long, though pictures come"] if self.board.stuck() else []
        return [*stuck, *still]

    def _reload(self) -> None:
        self._notifier.reloading()
        try:
            config = load_config(self._file)
            bundle = check_config(self._file, config)
            with self._notifier.busy("reloading"):
                self._change(config, bundle)
        except WrongConfig as error:
            for line in error.lines:
                self._log.error("reload refused", why=line)
        except EdgecvarError as error:
            self._log.error("reload failed", why=str(error))
        self._notifier.ready(f"{len(self._running)} streams")

    def _change(self, config: ServeConfig, bundle: Bundle) -> None:
        """Another configuration; raises EdgecvarError, with the streams as they were, where that cannot be had."""
        with self._turn:
            before = self._config
            anew = _runner(before) != _runner(config) or bundle.manifest != self._bundle.manifest
            anew = anew or bundle.signed_by != self._bundle.signed_by  # then other engines may be loaded
            hearing = self._hears(config, bundle)
            try:
                loaded = Streams(bundle, config) if anew else self._streams
            except BaseException:
                self._hears(before)
                self._outlets.keep(before.to)
                raise
            self._config = config
            if anew:
                before_it, self._streams = self._streams, loaded
                self._bundle = bundle
                before_it.close()
            if anew or before.clips != config.clips:
                self._stop(list(self._running))
            self._hearing = hearing
            self._streams.use(hearing)
            self._outlets.keep(config.to)
            self._settle()
        if before.page != config.page or self._page is None:
            if self._page is not None:
                self._page.close()
                self._page = None
            self._page = open_page(config.page, self)
        self._log.info("reloaded", streams=len(self._running), page=self.url or None)

    def _settle(self) -> None:
        """Start what is asked for and does not run, end what runs and is asked for no more."""
        with self._turn:
            wanted = {**self._config.sources, **self._added.sources, **self._config.sources}
            self._stop([name for name, source in self._running.items() if wanted.get(name) != source])
            for lane in self.board.lanes:
                if lane.name not in wanted:
                    self.board.remove(lane.name)
            for name, source in wanted.items():
                if name not in self._running:
                    self._begin(name, source)

    def _begin(self, name: str, source: SourceConfig) -> None:
        lane = Lane(name, without_password(source.uri), added=name not in self._config.sources)
        self.board.add(lane)
        self._running[name] = source
        self._log.info("stream added", stream=name, source=source.uri)
        self._streams.add(name, source, lambda: Session(lane, self.board, self._log, self._hearing))

    def _stop(self, names: List[str]) -> None:
        for name in names:
            self._streams.remove(name)
            del self._running[name]
            self._log.info("stream removed", stream=name)

    def _hears(self, config: ServeConfig, bundle: Optional[Bundle] = None) -> Hearing:
        """Who hears of the streams by a configuration; raises ConfigError."""
        clips = None if config.clips is None else config.clips.settings
        if clips is not None:
            try:
                clips.clips.mkdir(parents=True, exist_ok=True)
            except (OSError, ValueError) as error:
                raise ConfigError(f"clips.folder: {clips.clips} cannot be made ({reason(error)})") from error
        labels = (bundle or self._bundle).manifest.labels
        return Hearing(labels, config.events, clips, self._outlets.open(config.to))

    def _end(self) -> None:
        """Within two seconds, whatever hangs."""
        self._notifier.stopping()
        page = self._page
        closing = threading.Thread(target=lambda: None if page is None else page.close(), daemon=True)
        closing.start()
        self._streams.close()
        self._outlets.close(END_SECONDS)
        closing.join(END_SECONDS)
        self._log.info("end", seconds=time.time() - self._begun)

    # What the page asks for.

    def facts(self) -> Dict[str, Any]:
        return {
            "service": platform.node(),
            "version": __version__,
            "bundle": self._bundle.name,
            "untrained": self._bundle.manifest.provenance.untrained,
            "begun": self._begun,
            "now": time.time(),
            "may_add": self._config.page is not None and self._config.page.add,
            **self._measured,
        }

    def wrong(self) -> List[str]:
        return [*self._broken(), *self.board.wrong()]

    def try_source(self, uri: str) -> Dict[str, Any]:
        return look_at(uri)

    def add_source(self, name: str, uri: str, again: bool) -> str:
        try:
            source = SourceConfig(uri=uri, again=again)
            check_name(name)
        except ValidationError as error:
            raise ConfigError(mistakes(error, SourceConfig, lambda place, value: "")[0]) from error
        except ValueError as error:
            raise ConfigError(str(error)) from error
        with self._turn:
            if name in self._running:
                raise ConfigError(f"there is a source {name!r} already; choose another name")
            if len(self._running) >= MOST_SOURCES:
                raise ConfigError(f"there are {MOST_SOURCES} sources already, which is the most; remove one first")
            note = self._added.put(name, source)
            self._settle()
        if note:
            self._log.warning("not kept", stream=name, why=note)
        return note

    def remove_source(self, name: str) -> None:
        with self._turn:
            if name in self._config.sources:
                raise ConfigError(f"{name!r} is in {self._file.name}: take it out there, and reload")
            if name not in self._added.sources:
                raise unknown_name("source", name, self._added.sources or ["none"])
            note = self._added.drop(name)
            self._settle()
        if note:
            self._log.warning("not kept", stream=name, why=note)


def _runner(config: ServeConfig) -> Dict[str, Any]:
    return config.model_dump(include=RUNNER_KEYS)


@contextmanager
def _signals(told: SimpleQueue[str]) -> Iterator[None]:
    """SIGTERM and SIGINT say "stop", SIGHUP "reload"; outside the main thread nothing is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def hear(number: int, frame: object) -> None:
        if os.getpid() == owner:
            name = signal.Signals(number).name
            told.put("reload" if number == signal.SIGHUP else f"stop {name}")

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
