"""A connection to an MQTT broker, kept by whoever uses it."""

from __future__ import annotations

import secrets
import ssl
import time
from contextlib import suppress
from threading import Event
from typing import Any, Callable, Optional, Tuple

from edgecvar.errors import reason
from edgecvar.sinks.delivery.address import Address
from edgecvar.sinks.delivery.waiting.counts import Tally
from edgecvar.sinks.delivery.waiting.courier import Backoff

KEEPALIVE = 15
"""Seconds without a word after which a connection is given up, by the broker, too, which then tells the last will."""
ANSWER = 5.0
"""Seconds that a broker has to accept a connection, or to acknowledge a message."""
STEP = 0.1
"""Seconds after which a wait looks whether it is still wanted."""
PAUSE = 0.25


class Unreachable(Exception):
    """The broker has not taken a message, which is counted where that is news."""


class Broker:
    """One client at a time, without a thread of its own: `ready` and `publish` drive it, and connect it again.

    `will`: topic and payload that the broker publishes, retained, when this client is gone without a word.
    """

    def __init__(
        self, address: Address, password: Optional[str], will: Tuple[str, str], backoff: Backoff, tally: Tally
    ) -> None:
        self._address, self._password, self._will = address, password, will
        self._backoff, self._tally = backoff, tally
        self._client: Any = None
        self._answer: Any = None
        self._attempts, self._next_try = 0, 0.0
        self._aborted = Event()
        self.connections = 0
        """How often a broker has accepted it."""

    def ready(self) -> bool:
        """Whether there is a connection; makes one where it is time to, and reads what has come."""
        if self._client is not None:
            self._drive(0.0)
        elif time.monotonic() >= self._next_try and not self._aborted.is_set():
            self._connect()
        return self._client is not None

    @property
    def connected(self) -> bool:
        """As far as is known."""
        return self._client is not None

    def pause(self) -> None:
        """Wait a little for the next attempt."""
        self._aborted.wait(PAUSE)

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Publish a message, at least once; raises Unreachable where it is not acknowledged."""
        if not self.ready():
            raise Unreachable
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if not self._until(info.is_published):
            self._lose("no acknowledgement")
            raise Unreachable

    def abort(self) -> None:
        """End a wait, and make no more connections; from any thread."""
        self._aborted.set()

    def close(self) -> None:
        """Leave the broker, which tells no last will unless this was aborted."""
        if self._client is not None and not self._aborted.is_set():
            self._client.disconnect()
            self._until(lambda: not self._client.want_write())
        self._drop()

    def _connect(self) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        client = mqtt.Client(CallbackAPIVersion.VERSION2, f"edgecvar-{secrets.token_hex(6)}", clean_session=True)
        client.connect_timeout = ANSWER
        client.will_set(*self._will, qos=1, retain=True)
        client.on_connect = self._note
        self._client, self._answer = client, None
        try:
            if self._address.user is not None:
                client.username_pw_set(self._address.user, self._password)
            if self._address.scheme == "mqtts":
                client.tls_set_context(ssl.create_default_context())
            client.connect(self._address.host, self._address.port, KEEPALIVE)
        except (OSError, ValueError) as error:
            self._lose(reason(error))
            return
        if not self._until(lambda: self._answer is not None):
            self._lose("no answer")
            return
        self._attempts = 0
        self.connections += 1
        self._tally.recovered()

    def _note(self, client: Any, data: Any, flags: Any, answer: Any, properties: Any) -> None:
        """What the broker says of a connection."""
        if answer.is_failure:
            self._lose(f"refused: {answer}")
        else:
            self._answer = answer

    def _until(self, met: Callable[[], bool]) -> bool:
        """Drive the connection until something is so; whether it was before time was up."""
        end = time.monotonic() + ANSWER
        while not met():
            if self._client is None or self._aborted.is_set() or time.monotonic() > end:
                return False
            self._drive(STEP)
        return True

    def _drive(self, seconds: float) -> None:
        code = self._client.loop(seconds)
        if code:
            self._lose("connection lost")

    def _lose(self, trouble: str) -> None:
        if self._client is None:
            return  # it was lost, and counted, before
        self._drop()
        if not self._aborted.is_set():
            self._attempts += 1
            self._next_try = time.monotonic() + self._backoff.delay(self._attempts)
            self._tally.failed(trouble)

    def _drop(self) -> None:
        client, self._client = self._client, None
        sock = None if client is None else client.socket()
        if sock is not None:
            with suppress(OSError):
                sock.close()
