"""The small server that answers whoever asks for metrics."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, Callable, Tuple, cast

from edgecvar.sinks.delivery.exposition import CONTENT_TYPE
from edgecvar.sinks.delivery.head import read_head

SECONDS = 2.0
"""That one request, or its answer, may take: there is one at a time."""
LONGEST = 1 << 13


class ScrapeServer(TCPServer):
    """Listens from the moment that it is made, which raises OSError; `handle_request` waits a little for one."""

    allow_reuse_address = True
    timeout = 0.2

    def __init__(self, address: Tuple[str, int], text: Callable[[], str], answered: Callable[[], None]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.text, self.answered = text, answered
        super().__init__(address, _Scrape)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asks and goes away is no news."""


class _Scrape(BaseHTTPRequestHandler):
    """Answers GET and HEAD of /metrics; says nothing else, and nothing of what runs it."""

    server_version, sys_version = "edgecvar", ""

    def setup(self) -> None:
        super().setup()
        head = b""
        with suppress(OSError, ValueError):
            head = read_head(self.request, SECONDS, LONGEST)
        self.request.settimeout(SECONDS)
        self.rfile = io.BytesIO(head)  # type: ignore[assignment]

    def do_GET(self) -> None:
        server = cast(ScrapeServer, self.server)
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, "text/plain; charset=utf-8", "ask for /metrics\n")
            return
        self._answer(200, CONTENT_TYPE, server.text())
        server.answered()

    do_HEAD = do_GET

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return None
