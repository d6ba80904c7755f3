"""What the page answers, and to whom it does not."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Optional

import pytest

pytest.importorskip("aiohttp")

from edgecvar.errors import EdgecvarError
from edgecvar.run.events import Event
from edgecvar.serve.configuration.config import PageConfig
from edgecvar.serve.lane import Lane
from edgecvar.serve.page import app
from edgecvar.serve.page.app import static_files
from edgecvar.serve.page.server import PageServer
from tests.serve.page.served import TOKEN, Asking, Played, served


def test_the_page_and_its_files_are_our_own_and_nothing_else_may_be_loaded() -> None:
    with served(Played()) as page:
        index = page.get("/")
        assert index.status == 200 and index.headers["content-type"].startswith("text/html")
        policy = index.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert "frame-ancestors 'none'" in policy and index.headers["referrer-policy"] == "no-referrer"
        for name, file in static_files().items():
            text = file.body.decode()
            assert "http://" not in text.replace("http://www.w3.org/2000/svg", "").replace("http://camera/", "")
            assert "https://" not in text and "innerHTML" not in text and "eval(" not in text and "style=" not in text
            got = page.get(f"/static/{name}")
            assert got.status == 200 and got.body == file.body
            assert page.get(f"/static/{name}", If_None_Match=got.headers["etag"]).status == 304
        for path in ("/static/app.py", "/static/../app.py", "/static/..%2fapp.py", "/static/", "/clips/0", "/clips/x"):
            assert page.get(path).status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8470", 200),
        ("[::1]:8470", 200),
        ("192.0.2.7", 200),
        (socket.gethostname(), 200),
        ("edge.example.org", 200),
        ("rebound.example.com", 403),
        ("localhost.example.com", 403),
        ("127.0.0.1.example.com", 403),
        ("", 403),
    ],
)
def test_under_a_strangers_name_it_answers_nothing(host: str, status: int) -> None:
    with served(Played(), names=("Edge.example.org",)) as page:
        for path in ("/", "/api/state", "/static/main.js", "/healthz", "/live"):
            answer = page.get(path, Host=host)
            assert answer.status == status or (status == 200 and path == "/live" and answer.status == 400)


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({}, True),
        ({"Origin": "http://localhost:1"}, False),
        ({"Origin": "http://evil.example.com"}, False),
        ({"Origin": "null"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
    ],
)
def test_another_sites_page_changes_nothing(headers: dict, admitted: bool) -> None:
    behind = Played()
    with served(behind) as page:
        answer = page.post("/api/sources", {"name": "a", "uri": "a.mp4"}, **headers)
        assert (answer.status == 200, bool(behind.asked)) == (admitted, admitted)
        live = page.get("/live", Connection="Upgrade", Upgrade="websocket", **headers)
        assert (live.status == 403) is not admitted
        same = {"Origin": f"http://localhost:{page.port}", "Sec_Fetch_Site": "same-origin"}
        assert page.post("/api/sources", {"name": "a", "uri": "a.mp4"}, **same).status == 200


def test_a_form_of_another_site_is_no_json() -> None:
    behind = Played()
    with served(behind) as page:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert page.post("/api/sources", {"name": "a", "uri": "a.mp4"}, Content_Type=kind).status == 415
    assert not behind.asked


PATHS = ["/", "/api/state", "/static/main.js", "/static/card.js", "/live", "/clips/0"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("credentials", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "edgecvar=wrong"}])
def test_without_the_token_it_answers_nothing(path: str, credentials: dict) -> None:
    behind = Played()
    behind.board.add(Lane("secret name", "secret.mp4", added=False))
    with served(behind, token=TOKEN) as page:
        answer = page.get(path, **credentials)
        assert answer.status == 401 and b"secret" not in answer.body
        for changing in ("/api/try", "/api/sources", "/api/sources/remove"):
            assert page.post(changing, {"uri": "a", "name": "b"}, **credentials).status == 401
    assert not behind.asked


def test_the_token_opens_it_and_the_cookie_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "WRONG_TOKEN_SECONDS", 0.0)
    with served(Played(), token=TOKEN) as page:
        assert page.get("/api/state", Authorization=f"Bearer {TOKEN}").status == 200
        assert page.get(f"/api/state?token={TOKEN}").status == 401
        assert page.post("/api/login", {"token": TOKEN[:-1]}).status == 401
        answer = page.post("/api/login", {"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert answer.status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        held = cookie.partition(";")[0]
        assert page.get("/", Cookie=held).body == static_files()["index.html"].body
        assert page.get("/api/state", Cookie=held).status == 200
        out = page.post("/api/logout", {}, Cookie=held)
        assert "Max-Age=0" in out.headers["set-cookie"]
    with served(Played(), token=TOKEN + "x") as page:
        assert page.get("/api/state", Cookie=held).status == 401


def test_health_is_a_status_and_words() -> None:
    behind = Played()
    with served(behind, token=TOKEN) as page:
        assert (page.get("/healthz").status, page.get("/healthz").json) == (200, {"well": True, "wrong": []})
        assert page.get("/healthz", X_Forwarded_For="192.0.2.1").status == 401
        behind.said = ["yard: away for 73 s: no route"]
        answer = page.get("/healthz")
        assert (answer.status, answer.json["wrong"]) == (503, behind.said)


def test_beyond_loopback_nothing_answers_without_the_token() -> None:
    """Asked by another address of this machine, as another machine would."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address beyond loopback")
    behind = Played()
    with served(behind, host="0.0.0.0", token=TOKEN) as page:
        far = Asking(page.port, address)
        for path in [*PATHS, "/healthz", "/api/anything"]:
            assert far.get(path, Host=address).status == 401
        assert far.get("/api/state", Host=address, Authorization=f"Bearer {TOKEN}").status == 200
    with served(behind) as page, pytest.raises(OSError):
        Asking(page.port, address).get("/")


def own_address() -> Optional[str]:
    """Of an interface that leads elsewhere; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = asking.getsockname()[0]
    return None if address.startswith("127.") else address


def test_what_is_asked_of_the_service_and_what_it_refuses() -> None:
    behind = Played()
    with served(behind) as page:
        assert page.post("/api/try", {"uri": " a.mp4 "}).json == {"codec": "h264"}
        assert page.post("/api/sources", {"name": "a", "uri": "b", "again": "yes"}).json == {"note": "kept"}
        refused = page.post("/api/sources", {"name": "taken", "uri": "b"})
        assert (refused.status, refused.json["error"]) == (400, "there is a source 'taken' already")
        assert page.post("/api/sources/remove", {"name": "a"}).status == 200
        for wrong in (
            {"name": "a"},
            {"name": 1, "uri": "b"},
            [],
            "x",
            {"name": "a", "uri": "b", "more": "c"},
            b"{",
            b"[" * 9999,
        ):
            assert page.post("/api/sources", wrong).status == 400
        assert page.post("/api/try", b"x" * (app.LARGEST_BODY + 1)).status == 413
    assert behind.asked == ["a.mp4", ("a", "b", True), ("taken", "b", False), "a"]


def test_where_nothing_may_be_added_nothing_is() -> None:
    behind = Played()
    with served(behind, add=False) as page:
        for path, body in (("/api/try", {"uri": "a"}), ("/api/sources", {"name": "a", "uri": "b"})):
            assert "page.add" in page.post(path, body).json["error"]
    assert not behind.asked


def test_a_clip_is_the_one_of_an_event_and_can_be_sought_in(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(range(100)))
    behind = Played()
    behind.board.event("door", Event(0, "fall", 1.0, 2.0, 0.9, 1.5), clip)
    with served(behind) as page:
        answer = page.get("/clips/0", Range="bytes=10-19")
        assert (answer.status, answer.body) == (206, bytes(range(10, 20)))
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["x-content-type-options"] == "nosniff"
        clip.unlink()
        assert page.get("/clips/0").status == 404


def test_a_port_that_is_taken_is_said() -> None:
    with served(Played()) as page, pytest.raises(EdgecvarError, match=r"page: cannot listen at 127.0.0.1:\d+ \("):
        PageServer(PageConfig(port=page.port), Played())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"token": "\\ud800"}', {}, 401),
        (b'{"token": "x"}', {"Content_Type": "application/json; charset=none"}, 400),
        (b'{"token": "x"}', {"Origin": "http://["}, 403),
    ],
)
def test_what_a_stranger_sends_is_refused_and_breaks_nothing(
    body: bytes, headers: dict, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "WRONG_TOKEN_SECONDS", 0.0)
    with served(Played(), token=TOKEN) as page:
        assert page.post("/api/login", body, **headers).status == status


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.x\r\n\r\n"])
def test_what_is_no_http_is_refused_and_fills_no_log(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with served(Played()) as page, socket.create_connection((page.host, page.port), 20) as asking:
        asking.sendall(sent)
        assert asking.recv(1 << 16).split(b" ")[1][:1] == b"4"  # 400, or of no host 403, by the version of aiohttp
        assert "Traceback" not in caplog.text


def test_a_page_that_somebody_holds_up_is_closed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def held(self: app.App, application: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(app.App, "_close", held)
    server = PageServer(PageConfig(port=0), Played())
    monkeypatch.setattr("edgecvar.serve.page.server.PATIENCE", 0.2)
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 20)
