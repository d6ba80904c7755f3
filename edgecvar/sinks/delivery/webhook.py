"""Events by HTTP: a signed POST each, until the receiver has it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import json
import os
import socket
import ssl
import time
from base64 import b64encode
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Optional, cast

from edgecvar import __version__
from edgecvar.errors import ConfigError, reason
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.address import Address
from edgecvar.sinks.delivery.delivery import SourceRun
from edgecvar.sinks.delivery.head import read_head
from edgecvar.sinks.delivery.messages import event_message
from edgecvar.sinks.delivery.waiting.counts import Tally
from edgecvar.sinks.delivery.waiting.courier import DELIVERED, Backoff, ByCourier, Courier, Outcome
from edgecvar.sinks.delivery.waiting.journal import Numbered
from edgecvar.sinks.delivery.waiting.spool import Spool
from edgecvar.sinks.sink import Sink, Stateless
from edgecvar.terminal import json_line

SECRET = "EDGECVAR_WEBHOOK_SECRET"
"""The environment variable that has the secret, unless the URI names another."""
TIMEOUT = 10.0
"""Seconds that a receiver has to let us in, and to answer."""
LONGEST_WAIT = 3600.0
"""Seconds that a receiver may ask to be left alone."""
TRIED_AGAIN = (408, 425, 429)
"""The answers from 400 to 499 that are not final."""


class Webhook(ByCourier):
    """A Delivery of events to one URL."""

    events_only = True

    def __init__(self, address: Address, spool: Spool, backoff: Backoff) -> None:
        self.name = address.name
        self._tally = Tally()
        super().__init__(Courier(_Post(address, _secret(address)), spool, self._tally, backoff))

    def sink(self, run: SourceRun) -> Sink:
        return _Events(run, self._courier)


class _Events(Stateless):
    """One source's events."""

    def __init__(self, run: SourceRun, courier: Courier) -> None:
        self._run, self._courier = run, courier

    def decision(self, decision: Decision) -> None:
        return None

    def event(self, event: Event) -> None:
        self._courier.put(json_line(event_message(self._run, event)))

    def finish(self, summary: RunSummary) -> None:
        return None


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The hexadecimal HMAC-SHA256 of `timestamp`, a dot and the body: what a receiver computes and compares."""
    return hmac.new(os.fsencode(secret), b"%d.%s" % (timestamp, body), hashlib.sha256).hexdigest()


def _secret(address: Address) -> Optional[str]:
    """The secret, None where there is none to sign with; raises ConfigError where the URI names one that is not set."""
    variable = address.settings.get("secret", SECRET)
    secret = os.environ.get(variable)
    if not secret and "secret" in address.settings:
        raise ConfigError(f"{address.name}: the environment has no {variable}, which is to hold the secret; set it")
    return secret or None


class _Post:
    """A Carrier: one request a record, on a connection of its own. Nothing that the receiver says is followed."""

    def __init__(self, address: Address, secret: Optional[str]) -> None:
        self._address, self._secret = address, secret
        self._target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        self._connection: Optional[http.client.HTTPConnection] = None
        self._context = ssl.create_default_context() if address.scheme == "https" else None

    def deliver(self, record: Numbered) -> Outcome:
        body = record[1]
        try:
            answer = self._answer(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = isinstance(error, (TimeoutError, socket.timeout))
            return Outcome(over=False, trouble="timed out" if late else reason(error))
        finally:
            self.close()
        if 200 <= answer.status < 300:
            return DELIVERED
        trouble = f"HTTP {answer.status}"
        if 400 <= answer.status < 500 and answer.status not in TRIED_AGAIN:
            return Outcome(over=True, trouble=trouble)
        if 300 <= answer.status < 400:
            trouble += ", a redirect, which is not followed"
        return Outcome(over=False, trouble=trouble, after=retry_after(answer.getheader("Retry-After"), time.time()))

    def _answer(self, body: bytes) -> http.client.HTTPResponse:
        connection = self._connection = self._connect()
        connection.request("POST", self._target, body, self._headers(body))
        head = read_head(connection.sock, TIMEOUT)
        # What follows the head is of no interest, and might never end.
        answer = http.client.HTTPResponse(cast(socket.socket, _Received(head)), method="POST")
        answer.begin()
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)

    def _headers(self, body: bytes) -> Dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edgecvar/{__version__}",
            "Idempotency-Key": str(json.loads(body)["id"]),
            "Connection": "close",
        }
        if self._secret is not None:
            timestamp = int(time.time())
            headers["X-Edgecvar-Signature"] = f"t={timestamp},v1={signature(self._secret, timestamp, body)}"
        if self._address.user is not None:
            login = f"{self._address.user}:{self._address.password or ''}"
            headers["Authorization"] = f"Basic {b64encode(os.fsencode(login)).decode()}"
        return headers

    def tick(self) -> None:
        return None

    def abort(self) -> None:
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Received:
    """What HTTPResponse reads in place of a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *mode: Any, **options: Any) -> io.BytesIO:
        return io.BytesIO(self._content)


def retry_after(header: Optional[str], now: float) -> float:
    """Seconds that a receiver asks for, as such or as a date, at most LONGEST_WAIT; 0 where it asks for none."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)
