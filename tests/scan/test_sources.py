"""What arguments name, here and elsewhere."""

from __future__ import annotations

import os
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.scan.sources import find_listed, given_sources
from edgecvar.stream.sources.passwords import without_passwords
from tests.moving_clip import moving_clip
from tests.scan.scanned import listing, rows, scanned
from tests.tiny_bundle import tiny_bundle


def names(*arguments: str):
    return [each.name for each in find_listed(arguments)]


def test_files_folders_and_patterns_come_once_and_by_name(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mkv", "notes.txt", ".hidden.mp4", "deep/c.ts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"0")
    found = names(str(tmp_path), str(tmp_path / "*.mp4"), str(tmp_path / "b.mp4"))
    assert [str(Path(name).relative_to(tmp_path)) for name in found] == ["a.mkv", "b.mp4", "deep/c.ts"]
    assert all(each.stamp and each.size == 1 for each in find_listed([str(tmp_path)]))


@pytest.mark.parametrize("argument", ["", "-", "rtsp://camera/stream"])
def test_what_can_be_read_once_only_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError):
        find_listed([argument])


def test_a_folder_without_videos_and_a_system_that_is_not_installed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no video"):
        find_listed([str(tmp_path)])
    with pytest.raises((ConfigError, DatasetError), match="nowhere"):
        find_listed(["nowhere://bucket/*.mp4"])


def test_members_of_an_archive_are_found_by_pattern_and_run(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", 60, restless=True)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(clip, "cam/a.mp4")
        archive.write(clip, "cam/b.mp4")
        archive.writestr("cam/notes.txt", "none")
    pattern = f"zip://cam/*.mp4::{tmp_path / 'archive.zip'}"
    assert len(find_listed([pattern])) == 2
    assert len(find_listed([f"zip://cam/::{tmp_path / 'archive.zip'}"])) == 2
    there, here = tmp_path / "there.parquet", tmp_path / "here.parquet"
    bundle = tiny_bundle(tmp_path)
    scanned(bundle, [pattern], there)
    scanned(bundle, [clip], here)
    without = [{**row, "source": ""} for row in rows(here)]
    assert [{**row, "source": ""} for row in rows(there)] == [*without, *without]


class _Ranges(BaseHTTPRequestHandler):
    """Serves one file, parts of it where they are asked for, and forgets nothing."""

    data = b""

    def do_GET(self) -> None:
        closed = "closed" in self.path and self.command == "GET"
        if closed or "clip" not in self.path:
            self.send_error(403 if closed else 404)
            return
        first, last = 0, len(self.data) - 1
        ranged = self.headers.get("Range")
        if ranged:
            begin, _, end = ranged.partition("=")[2].partition("-")
            first, last = int(begin), min(last, int(end or last))
        self.send_response(206 if ranged else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if ranged:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.data)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.data[first : last + 1])

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


def test_urls_are_read_by_fsspec_and_a_missing_one_fails_alone(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    clip = moving_clip(tmp_path / "clip.mp4", 60, restless=True)
    handler = type("_Clip", (_Ranges,), {"data": clip.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://user:secret@127.0.0.1:{server.server_port}"
        there, here, bundle = tmp_path / "there.parquet", tmp_path / "here.parquet", tiny_bundle(tmp_path)
        closed = f"{address}/closed-clip.mp4?X-Amz-Security-Token=half%2Fsecret"
        summary = scanned(bundle, [f"{address}/clip.mp4", f"{address}/none.mp4", closed], there)
        scanned(bundle, [clip], here)
    finally:
        server.shutdown()
        server.server_close()
    assert [{**row, "source": ""} for row in rows(there)] == [{**row, "source": ""} for row in rows(here)]
    assert summary is not None and len(summary.failures) == 2
    assert "secret" not in str(listing(there)) + str(summary.failures)


@pytest.mark.parametrize(
    "argument", ["ftp://host/cameras/*.mp4", "sftp://host/cameras/", "simplecache::s3://bucket/*.mp4"]
)
def test_what_could_not_be_opened_once_listed_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match="name each"):
        find_listed([argument])
    assert names("simplecache::s3://bucket/clip.mp4") == ["simplecache::s3://bucket/clip.mp4"]


def test_no_reason_has_a_signature_of_a_url(tmp_path: Path) -> None:
    query = "X-Amz-Credential=me&X-Amz-Signature=half%2Fhidden&X-Amz-Security-Token=half%2Fhidden&sig=hidden"
    address = f"http://127.0.0.1:1/clip.mp4?{query}"
    output = tmp_path / "seen.parquet"
    summary = scanned(tiny_bundle(tmp_path), [address], output)
    assert summary is not None
    ((name, why),) = summary.failures
    assert name in why and "cannot be read" in why
    assert "hidden" not in str(summary.failures) + str(listing(output))
    with pytest.raises((ConfigError, DatasetError), match="nowhere") as told:
        find_listed([f"nowhere://bucket/*.mp4?{query}"])
    assert "hidden" not in str(told.value)


def test_passwords_go_from_what_is_said_and_the_rest_stays() -> None:
    name = "https://me:hidden@h/a.mp4?sig=hidden"
    told = without_passwords(f"{name}: gone, url='https://h/b?access_token=hid/den', tried twice", name)
    assert told == "https://me:***@h/a.mp4?sig=***: gone, url='https://h/b?access_token=***', tried twice"


def test_names_that_are_alike_without_their_secrets_stay_apart(tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    names = [f"http://127.0.0.1:1/{rest}" for rest in ("v?key=cam2", "v?key=cam1", "w?key=cam1", "key=1/a", "key=2/a")]
    summary = scanned(tiny_bundle(tmp_path), names, output)
    shown = [f"http://127.0.0.1:1/{rest}" for rest in ("key=1/a", "key=2/a", "v?key=***#1", "v?key=***#2", "w?key=***")]
    assert summary is not None and [name for name, _ in summary.failures] == shown
    assert [row["source"] for row in listing(output)] == shown


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/clip.mp4"
        summary = scanned(tiny_bundle(tmp_path), [address], tmp_path / "seen.parquet", timeout=0.2)
    assert summary is not None and len(summary.failures) == 1


def test_a_folder_that_cannot_be_listed_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def denied(place):
        if Path(place).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    for name in ("a.mp4", "closed/b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"0")
    monkeypatch.setattr(os, "scandir", denied)
    for argument in (tmp_path, tmp_path / "**" / "*.mp4"):
        with pytest.raises(DatasetError, match="closed: cannot be looked into"):
            names(str(argument))


def test_a_member_that_changes_is_another(tmp_path: Path) -> None:
    file = tmp_path / "archive.zip"

    def stamp(data: bytes) -> str:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.mp4", data)
        return find_listed([f"zip://*.mp4::{file}"])[0].stamp

    assert stamp(b"one") == stamp(b"one") != stamp(b"two")


def test_arguments_are_kept_absolute_and_without_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "https://me:hidden@host/a.mp4?sig=hidden"
    kept = given_sources(["b/", f"{tmp_path}/b", f"file://{tmp_path}/a.mp4", url, url, f"{url}2"])
    assert kept == [f"{tmp_path}/a.mp4", f"{tmp_path}/b", *["https://me:***@host/a.mp4?sig=***"] * 2]


def test_names_of_which_none_is_there_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="typo: no such file or folder"):
        find_listed([str(tmp_path / "typo")])
    (tmp_path / "a.mp4").touch()
    assert len(find_listed([str(tmp_path / "a.mp4"), str(tmp_path / "gone.mp4")])) == 2  # one that fails later
