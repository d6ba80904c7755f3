"""The sources of a service on one station: what fails is begun again after a pause, what plays again at its end."""

from __future__ import annotations

import time
from typing import Callable, Dict, Optional

from edgecvar.bundle.manifest import Bundle
from edgecvar.errors import EdgecvarError
from edgecvar.run.model import RunSettings
from edgecvar.run.station import STOPPED, SourceState, Station
from edgecvar.runners.choice import RunnerChoice
from edgecvar.serve.configuration.config import SourceConfig
from edgecvar.serve.session import Hearing, Session
from edgecvar.stream.live import Patience

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two tries of a source that has failed; they double."""

Sessions = Callable[[], Session]


class Streams:
    """Runs sources side by side; all is asked of it, and told it, by one thread."""

    def __init__(self, bundle: Bundle, choice: RunnerChoice) -> None:
        """Loads the bundle; raises BundleError, ConfigError or DeviceError."""
        self._station = Station(bundle, choice).__enter__()
        self._minded: Dict[str, _Minded] = {}

    def add(self, name: str, source: SourceConfig, sessions: Sessions) -> None:
        """`sessions` makes one for each run of the source."""
        self._minded[name] = _Minded(name, source, sessions, self._station)

    def remove(self, name: str) -> None:
        if self._minded.pop(name, None) is not None:
            self._station.remove(name)

    def use(self, hearing: Hearing) -> None:
        """Who hears of the streams from now on."""
        for minded in self._minded.values():
            minded.session.use(hearing)

    def tend(self) -> None:
        """Begin again what is due, and count what runs; to be called every second or so."""
        for minded in self._minded.values():
            minded.tend()

    def close(self) -> None:
        """End all of them, which takes two seconds at most."""
        self._minded = {}
        self._station.__exit__()


class _Minded:
    """One source, and when it is begun again."""

    def __init__(self, name: str, source: SourceConfig, sessions: Sessions, station: Station) -> None:
        self._name, self._source, self._sessions, self._station = name, source, sessions, station
        self._wait = FIRST_WAIT
        self._due: Optional[float] = None
        self._over = False
        self._begun = 0.0
        self.session = self._begin()

    def tend(self) -> None:
        state = self._station.state(self._name)
        if state is None or self._over:
            return
        if not state.over:
            if state.summary is not None:
                self.session.counted(state.summary)
        elif self._due is None:
            self._ended(state)
        elif time.monotonic() >= self._due:
            self.session = self._begin()

    def _begin(self) -> Session:
        session, source = self._sessions(), self._source
        self._due, self._begun = None, time.monotonic()
        settings = RunSettings(
            every=source.every,
            top=source.top,
            timeout=source.timeout,
            extraction=source.extraction,
            decoder=source.decoder,
            patience=Patience(late=source.late),
            watch=lambda info: session,
            tap=session.tap,
            tell=session.heard,
            paced=True,
        )
        try:
            self._station.add(self._name, source.uri, settings, [session])
        except EdgecvarError as error:
            session.say("failed", str(error))
            self._over = True
        return session

    def _ended(self, state: SourceState) -> None:
        """Say what became of the run that is over, and when the next one begins."""
        now = time.monotonic()
        if state.phase == "failed":
            self.session.say("away", state.reason)
            if now - self._begun > LONGEST_WAIT:
                self._wait = FIRST_WAIT
            self._due = now + self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT)
        elif self._source.again and state.reason != STOPPED:
            self._due = now
        else:
            self.session.say("ended")
            self._over = True
