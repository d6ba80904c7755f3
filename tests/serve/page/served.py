"""A page with a service behind it that does as it is told, and plain HTTP to ask it by."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from edgecvar.errors import ConfigError
from edgecvar.serve.board import Board
from edgecvar.serve.configuration.config import PageConfig
from edgecvar.serve.page.server import PageServer

TOKEN = "a-token-that-nobody-guesses"


class Played:
    """The service behind a page."""

    def __init__(self) -> None:
        self.board = Board()
        self.said: List[str] = []
        self.asked: List[Any] = []

    def facts(self) -> Dict[str, Any]:
        return {"service": "here", "bundle": "tiny", "untrained": False, "begun": 0.0, "now": 1.0, "may_add": True}

    def wrong(self) -> List[str]:
        return self.said

    def try_source(self, uri: str) -> Dict[str, Any]:
        self.asked.append(uri)
        return {"codec": "h264"}

    def add_source(self, name: str, uri: str, again: bool) -> str:
        self.asked.append((name, uri, again))
        if name == "taken":
            raise ConfigError("there is a source 'taken' already")
        return "kept"

    def remove_source(self, name: str) -> None:
        self.asked.append(name)


class Answer(NamedTuple):
    status: int
    headers: Dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asking:
    """Plain HTTP to a page, each request on a connection of its own."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port, self.host = port, host

    def get(self, path: str, method: str = "GET", body: Optional[bytes] = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": f"localhost:{self.port}", **sent})
        answer = connection.getresponse()
        got = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return got

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.get(path, "POST", body, **{"Content_Type": "application/json", **headers})


@contextmanager
def served(behind: Played, at: int = 0, **config: Any) -> Iterator[Asking]:
    """The page, at a port that is free unless told which."""
    server = PageServer(PageConfig(port=at, **config), behind)
    try:
        yield Asking(server.port)
    finally:
        server.close()
