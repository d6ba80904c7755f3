"""The page's paths: what each answers, to whom."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, NamedTuple, Optional, Set

from aiohttp import web

from edgecvar.errors import EdgecvarError
from edgecvar.serve.page.guard import COOKIE, HEADERS, Guard
from edgecvar.serve.page.live import LARGEST_MESSAGE, Pictures, Viewer
from edgecvar.serve.page.operations import Operations
from edgecvar.terminal import json_line

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
OPEN = {"/login", "/static/login.js", "/static/style.css", "/static/icon.svg", "/api/login"}
"""What is behind no token: by which one is given."""
LARGEST_BODY = 1 << 16
MOST_VIEWERS = 32
WRONG_TOKEN_SECONDS = 1.0
COOKIE_SECONDS = 30 * 86_400


class Static(NamedTuple):
    body: bytes
    kind: str
    tag: str


def static_files() -> Dict[str, Static]:
    """The page's own files by name."""
    files = {}
    for file in sorted((Path(__file__).parent / "static").iterdir()):
        kind = TYPES.get(file.suffix)
        if kind is not None:
            body = file.read_bytes()
            files[file.name] = Static(body, kind, hashlib.sha256(body).hexdigest()[:16])
    return files


class App:
    """Answers requests; every path but a few asks for the token where there is one."""

    def __init__(self, guard: Guard, operations: Operations, may_add: bool) -> None:
        self._guard, self._operations, self._may_add = guard, operations, may_add
        self._files = static_files()
        self._pictures = Pictures()
        self._viewers: Set[web.WebSocketResponse] = set()
        self._trying = asyncio.Lock()

    def application(self) -> web.Application:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._check(request, handler)

        app = web.Application(middlewares=[check], client_max_size=LARGEST_BODY)
        app.router.add_get("/", self._index)
        app.router.add_get("/login", self._login_page)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/api/state", self._state)
        app.router.add_get("/live", self._live)
        app.router.add_get("/clips/{number}", self._clip)
        app.router.add_post("/api/login", self._login)
        app.router.add_post("/api/logout", self._logout)
        app.router.add_post("/api/try", self._try)
        app.router.add_post("/api/sources", self._add)
        app.router.add_post("/api/sources/remove", self._remove)
        app.on_shutdown.append(self._close)
        return app

    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request: its host, its origin, its token; every answer gets the headers."""
        try:
            refusal = self._refusal(request)
            # Asked by `is`: an aiohttp before 3.11 takes a response, which is a mapping, for false.
            response = await handler(request) if refusal is None else refusal
        except web.HTTPException as error:
            response = _said(error.status, error.reason)
        except EdgecvarError as error:
            response = _said(400, str(error))
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    def _refusal(self, request: web.Request) -> Optional[web.Response]:
        headers = request.headers
        host = headers.get("Host")
        if not self._guard.knows(host):
            return _said(403, "this name is none of the page's: use the address, or list the name in page.names")
        changing = request.method not in ("GET", "HEAD") or request.path == "/live"
        if changing and not self._guard.same_origin(headers.get("Origin"), host, headers.get("Sec-Fetch-Site")):
            return _said(403, "another site's page asks for this")
        if request.method == "POST" and request.content_type != "application/json":
            return _said(415, "expected application/json")
        if request.path in OPEN or self._guard.admits(headers.get("Authorization"), request.cookies.get(COOKIE)):
            return None
        if request.path == "/healthz" and _from_here(request):
            return None
        if request.path == "/":
            return self._file("login.html", 401)
        return _said(401, "the token is missing or wrong: Authorization: Bearer TOKEN")

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return self._file("index.html")

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        return self._file("login.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        tag = f'"{self._files[name].tag}"'
        caching = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=caching)
        response = self._file(name)
        response.headers.update(caching)
        return response

    def _file(self, name: str, status: int = 200) -> web.Response:
        file = self._files[name]
        return web.Response(body=file.body, status=status, content_type=file.kind, charset="utf-8")

    async def _health(self, request: web.Request) -> web.StreamResponse:
        wrong = self._operations.wrong()
        return _json({"well": not wrong, "wrong": wrong}, 503 if wrong else 200)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        board = self._operations.board
        document = {
            **self._operations.facts(),
            "wrong": self._operations.wrong(),
            "streams": [lane.document() for lane in board.lanes],
            "events": [each.document() for each in board.events()],
        }
        return _json(document)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self._viewers) >= MOST_VIEWERS:
            return _said(503, f"{MOST_VIEWERS} look already")
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=LARGEST_MESSAGE, compress=False)
        await socket.prepare(request)
        self._viewers.add(socket)
        try:
            await Viewer(socket, self._operations, self._pictures).serve()
        finally:
            self._viewers.discard(socket)
        return socket

    async def _clip(self, request: web.Request) -> web.StreamResponse:
        text = request.match_info["number"]
        found = self._operations.board.happening(int(text)) if text.isdecimal() and len(text) < 12 else None
        if found is None or found.clip is None or not found.clip.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(found.clip, headers=HEADERS)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        document = await _body(request, {"token"})
        if not self._guard.token_is(document["token"]):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            return _said(401, "this is not the token")
        response = _json({})
        response.set_cookie(
            COOKIE,
            self._guard.session,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
        return response

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        response = _json({})
        response.del_cookie(COOKIE)
        return response

    async def _try(self, request: web.Request) -> web.StreamResponse:
        self._check_may_add()
        uri = (await _body(request, {"uri"}))["uri"].strip()
        if self._trying.locked():
            return _said(429, "another source is being tried; wait some seconds")
        async with self._trying:
            return _json(await _in_thread(lambda: self._operations.try_source(uri)))

    async def _add(self, request: web.Request) -> web.StreamResponse:
        self._check_may_add()
        body = await _body(request, {"name", "uri"}, {"again"})
        name, uri, again = body["name"].strip(), body["uri"].strip(), body.get("again") == "yes"
        return _json({"note": await _in_thread(lambda: self._operations.add_source(name, uri, again))})

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        self._check_may_add()
        name = (await _body(request, {"name"}))["name"]
        await _in_thread(lambda: self._operations.remove_source(name))
        return _json({})

    def _check_may_add(self) -> None:
        if not self._may_add:
            raise EdgecvarError("sources are not added here: page.add is false in the configuration")

    async def _close(self, app: web.Application) -> None:
        for socket in list(self._viewers):
            await socket.close(code=1001)
        self._pictures.close()


async def _in_thread(work: Callable[[], Any]) -> Any:
    """What `work` gives or raises; in a thread of its own, which a source that hangs may hold beyond the end."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def settle(settled: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            settled(value)

    def run() -> None:
        try:
            outcome = (done.set_result, work())
        except BaseException as error:
            outcome = (done.set_exception, error)
        with suppress(RuntimeError):  # the page was closed meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="edgecvar-asked", daemon=True).start()
    return await done


async def _body(request: web.Request, needed: Set[str], more: Optional[Set[str]] = None) -> Dict[str, str]:
    """A request's JSON object of strings with these keys; raises EdgecvarError."""
    try:
        document = json.loads(await request.text())
    except (ValueError, RecursionError, LookupError) as error:  # the last of a charset that there is not
        raise EdgecvarError("the request is not JSON") from error
    known = needed | (more or set())
    if not isinstance(document, dict) or not needed <= set(document) <= known:
        raise EdgecvarError(f"the request is no object with {', '.join(sorted(needed))}")
    if not all(isinstance(value, str) for value in document.values()):
        raise EdgecvarError("the request's values are not all strings")
    return document


def _from_here(request: web.Request) -> bool:
    """Whether this machine asks, and not for another one."""
    if "Forwarded" in request.headers or "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(text=json_line(document), status=status, content_type="application/json")


def _said(status: int, what: str) -> web.Response:
    return _json({"error": what}, status)
