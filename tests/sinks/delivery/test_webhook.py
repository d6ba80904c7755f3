"""A webhook gets every event, signed, whatever it answers, until it has taken it."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.delivery import delivery, webhook
from edgecvar.sinks.delivery.webhook import LONGEST_WAIT, SECRET, retry_after
from tests.deliveries import HOSTILE, Receiver, decision, deliveries, event, free_port, soon, stalling, summary
from tests.full_disk import no_room


def counts(made):
    (each,) = made.counts.values()
    return each


def tell(sink, numbers):
    for number in numbers:
        sink.event(event(number))


def starts(receiver):
    return [json.loads(body)["start_seconds"] for _, _, body in receiver.requests]


def test_an_event_is_a_post_that_says_what_began_and_ended(tmp_path, monkeypatch):
    monkeypatch.setenv(SECRET, "key")
    with Receiver(lambda number: (200, {})) as receiver, deliveries(tmp_path, receiver.url + "/hook?token=x") as made:
        with made.for_source("cam") as sink:
            sink.decision(decision(1))
            sink.event(event(3))
            sink.event(event(3, ended=True))
            sink.finish(summary())
        soon(lambda: counts(made).delivered == 2)
    (path, headers, begun), (_, later, ended) = receiver.requests
    assert path == "/hook?token=x" and headers["Content-Type"] == "application/json"
    begin, end = json.loads(begun), json.loads(ended)
    assert {name: begin[name] for name in ("event_type", "source", "label", "start_seconds", "end_seconds")} == {
        "event_type": "start",
        "source": "cam",
        "label": "left",
        "start_seconds": 3.0,
        "end_seconds": None,
    }
    assert end["event_type"] == "end" and end["end_seconds"] == 3.5 and end["event"] == begin["event"]
    assert headers["Idempotency-Key"] == begin["id"] != end["id"] == later["Idempotency-Key"]


def test_the_receiver_can_tell_that_it_was_us(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHER", "s3cret")
    with Receiver(lambda number: (200, {})) as receiver, deliveries(tmp_path, receiver.url + "#secret=OTHER") as made:
        with made.for_source("cam") as sink:
            tell(sink, range(2))
        soon(lambda: counts(made).delivered == 2)
    for _, headers, body in receiver.requests:
        timestamp, signed = headers["X-Edgecvar-Signature"].split(",")
        assert abs(int(timestamp[2:]) - time.time()) < 600
        expected = hmac.new(b"s3cret", timestamp[2:].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert signed == f"v1={expected}"


def test_without_a_secret_nothing_is_signed_and_a_login_is_sent(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET, raising=False)
    with Receiver(lambda number: (200, {})) as receiver:
        with deliveries(tmp_path, receiver.url.replace("//", "//user:p%40w@")) as made:
            with made.for_source("cam") as sink:
                tell(sink, range(1))
            soon(lambda: counts(made).delivered == 1)
        assert "pw" not in str(made.counts)
    ((_, headers, _),) = receiver.requests
    assert "X-Edgecvar-Signature" not in headers and headers["Authorization"] == "Basic dXNlcjpwQHc="


def test_a_receiver_that_fails_half_of_the_time_gets_everything_in_order(tmp_path):
    chance = random.Random(1)
    statuses = [chance.choice([200, 500, 503, 429, 408, 425, 302, 200, 204, 200]) for _ in range(2000)]
    with Receiver(lambda number: (statuses[number], {})) as receiver, deliveries(tmp_path, receiver.url) as made:
        with made.for_source("cam") as sink:
            tell(sink, range(40))
        soon(lambda: counts(made).delivered == 40)
    failures = len(receiver.requests) - 40
    assert counts(made).failed == failures > 10 and counts(made).dropped == counts(made).refused == 0
    assert list(dict.fromkeys(starts(receiver))) == list(range(40))


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413, 422])
def test_what_a_receiver_does_not_want_is_counted_and_not_sent_again(tmp_path, status):
    answers = {1: status}
    with Receiver(lambda number: (answers.get(number, 200), {})) as receiver, deliveries(
        tmp_path, receiver.url
    ) as made:
        with made.for_source("cam") as sink:
            tell(sink, range(2))
        soon(lambda: counts(made).delivered == 1)
    assert starts(receiver) == [0, 1] and (counts(made).refused, counts(made).failed) == (1, 0)


def test_a_redirect_is_not_followed(tmp_path):
    with Receiver(lambda number: (200, {})) as elsewhere:
        to = {"Location": f"{elsewhere.url}/stolen"}
        with Receiver(lambda number: (307 if number < 3 else 200, to)) as receiver, deliveries(
            tmp_path, receiver.url
        ) as made:
            with made.for_source("cam") as sink:
                tell(sink, range(1))
            soon(lambda: "redirect" in counts(made).trouble)
            soon(lambda: counts(made).delivered == 1)
        assert elsewhere.requests == [] and counts(made).failed == 2


def test_a_receiver_says_when_to_come_again(tmp_path):
    times = []

    def answer(number):
        times.append(time.monotonic())
        return (503, {"Retry-After": "1"}) if number == 1 else (200, {})

    with Receiver(answer) as receiver, deliveries(tmp_path, receiver.url) as made:
        with made.for_source("cam") as sink:
            tell(sink, range(1))
        soon(lambda: counts(made).delivered == 1)
    assert times[1] - times[0] >= 1.0


def test_how_long_a_receiver_may_ask_for():
    assert retry_after(None, 0.0) == retry_after("soon", 0.0) == retry_after("-3", 0.0) == 0.0
    assert retry_after("7", 0.0) == 7.0 and retry_after("9" * 5000, 0.0) == LONGEST_WAIT
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 50.0) == 10.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 90.0) == 0.0
    assert retry_after("Thu, 01 Jan 9999 00:01:00 GMT", 0.0) == LONGEST_WAIT


def test_one_that_is_not_there_yet_gets_it_when_it_is(tmp_path):
    port = free_port()
    with deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made:
        with made.for_source("cam") as sink:
            tell(sink, range(3))
        soon(lambda: counts(made).failed > 2)
        assert "refused" in counts(made).trouble
        with Receiver(lambda number: (200, {}), port) as receiver:
            soon(lambda: counts(made).delivered == 3)
    assert starts(receiver) == [0, 1, 2]


def test_what_was_not_taken_is_taken_up_by_the_next_run(tmp_path):
    port = free_port()
    for _ in range(2):
        with deliveries(tmp_path, f"http://user:old@127.0.0.1:{port}/") as made, made.for_source("cam") as sink:
            tell(sink, range(5))
    assert counts(made).waiting == 10 and counts(made).delivered == 0
    with Receiver(lambda number: (200, {}), port) as receiver, deliveries(
        tmp_path, f"http://user:new@127.0.0.1:{port}/"
    ):
        soon(lambda: len(receiver.requests) == 10)
    assert starts(receiver) == [0, 1, 2, 3, 4] * 2
    assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.requests}) == 10


def test_one_that_stalls_is_given_up_and_holds_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT", 0.2)
    with stalling() as (port, came), deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made, made.for_source(
        "cam"
    ) as sink:
        tell(sink, range(2))
        soon(lambda: counts(made).failed == 2)
        assert counts(made).trouble == "timed out" and len(came) >= 2
    assert counts(made).waiting == 2


def test_one_that_answers_by_and_by_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT", 0.5)
    with stalling() as (port, came), deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made, made.for_source(
        "cam"
    ) as sink:
        tell(sink, range(1))
        connection = soon(lambda: came)[0]
        while not counts(made).failed:
            with suppress(OSError):
                connection.sendall(b"x")
            time.sleep(0.02)
        assert counts(made).trouble == "timed out"


def test_leaving_ends_a_request_that_stalls(tmp_path):
    with stalling() as (port, came):
        with deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made:
            with made.for_source("cam") as sink:
                tell(sink, range(2))
            soon(lambda: came)
            made._deliveries[0].leave()
            made._deliveries[0].wait(0.05)
            assert not made._deliveries[0]._courier._thread.is_alive()
        assert counts(made).waiting == 2


@pytest.mark.parametrize(
    "answer, says",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "SSH"),
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70000 + b"\r\n", "a head of more than"),
        (b"HTTP/1.1 2000000 OK\r\n\r\n", "2000000"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(tmp_path, monkeypatch, answer, says):
    monkeypatch.setattr(delivery, "LEAVING", 0.1)
    with stalling() as (port, came), deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made:
        with made.for_source("cam") as sink:
            tell(sink, range(1))
            connection = soon(lambda: came)[0]
            connection.recv(65536)
            connection.sendall(answer)
            with suppress(OSError):  # we have gone already
                connection.shutdown(socket.SHUT_RDWR)
            soon(lambda: counts(made).failed == 1)
        assert says in counts(made).trouble and counts(made).waiting == 1


def test_names_of_strangers_are_text_of_one_line(tmp_path):
    with Receiver(lambda number: (200, {})) as receiver, deliveries(tmp_path, receiver.url) as made:
        with made.for_source(HOSTILE) as sink:
            sink.event(event(1, label=HOSTILE))
        soon(lambda: counts(made).delivered == 1)
    ((_, _, body),) = receiver.requests
    assert b"\n" not in body and b"\x1b" not in body
    document = json.loads(body)
    assert document["label"] == document["source"] == 'a "b"\\c\\nd\\x1b[2J/+#\\udcff,{é}'


def test_a_full_disk_loses_nothing_while_the_run_lives(tmp_path):
    port = free_port()
    with deliveries(tmp_path, f"http://127.0.0.1:{port}/") as made, no_room(300):
        with made.for_source("cam") as sink:
            tell(sink, range(20))
        soon(lambda: counts(made).failed > 1)
        with Receiver(lambda number: (200, {}), port) as receiver:
            soon(lambda: counts(made).delivered == 20)
    assert starts(receiver) == list(range(20)) and counts(made).dropped == 0


def test_a_secret_that_is_not_set_is_an_error_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv("OTHER", raising=False)
    with pytest.raises(ConfigError, match="the environment has no OTHER"):
        deliveries(tmp_path, "http://127.0.0.1:1/#secret=OTHER")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", str(file), "-out", str(file) + ".crt"], check=True, capture_output=True)
    return file, Path(str(file) + ".crt")


def test_a_receiver_must_be_who_it_says(tmp_path, monkeypatch, certificate):
    key, file = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Receiver(lambda number: (200, {}), tls=context) as receiver:
        with deliveries(tmp_path, receiver.url) as made:
            with made.for_source("cam") as sink:
                tell(sink, range(3))
            soon(lambda: "certificate verify failed" in counts(made).trouble)
        assert receiver.requests == [] and counts(made).waiting == 3
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with deliveries(tmp_path, receiver.url) as made:
            soon(lambda: counts(made).delivered == 3)
    assert starts(receiver) == [0, 1, 2]


def test_several_sources_at_a_time_share_one(tmp_path):
    def run(name):
        with made.for_source(name) as sink:
            for number in range(50):
                sink.event(event(number))

    with Receiver(lambda number: (200, {})) as receiver, deliveries(tmp_path, receiver.url) as made:
        threads = [threading.Thread(target=run, args=(f"cam{place}",)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        soon(lambda: counts(made).delivered == 200)
    told = [json.loads(body) for _, _, body in receiver.requests]
    assert len({each["id"] for each in told}) == 200
    for place in range(4):
        assert [each["start_seconds"] for each in told if each["source"] == f"cam{place}"] == list(range(50))
