"""What Prometheus reads is what was told, in its own form, whoever named it."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.delivery import metrics
from edgecvar.sinks.delivery.exposition import Histogram, escaped
from tests.deliveries import HOSTILE, ask, decision, deliveries, event, free_port, soon, summary

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([0-9.e+-]+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


def parsed(text):
    """Values by name and labels; every line must be of the form, and no series there twice."""
    values, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            if what == "TYPE":
                assert name not in kinds
                kinds[name] = rest
            continue
        name, labels, value = LINE.fullmatch(line).groups()
        assert name in kinds or re.sub("_(bucket|sum|count)$", "", name) in kinds
        key = (name, *sorted(LABEL.findall(labels or "")))
        assert key not in values
        values[key] = float(value)
    return values


@pytest.fixture
def scraped(tmp_path):
    """Entered deliveries with metrics, and how to read them."""
    port = free_port()
    with deliveries(tmp_path, f"metrics://127.0.0.1:{port}", f"sqlite:{tmp_path}/log.db") as made:
        yield made, port, lambda: parsed(ask(port)[1])


def test_it_counts_what_is_told(scraped):
    made, _port, read = scraped
    live = [summary(pictures=50, breaks={"cut": 1})]
    with made.for_source("cam", lambda: live[0]) as sink:
        for index in range(5):
            sink.decision(decision(index))
        for number in range(3):
            sink.event(event(number, "left" if number else "right"))
            sink.event(event(number, "left" if number else "right", ended=True))
        values = read()
        source = ("source", "cam")
        assert values["edgecvar_source_up", source] == 1
        assert values["edgecvar_decisions_total", source] == 5
        assert values["edgecvar_events_total", ("label", "left"), source] == 2
        assert values["edgecvar_events_total", ("label", "right"), source] == 1
        assert values["edgecvar_pictures_total", source] == 50 and values["edgecvar_breaks_total", source] == 1
        live[0] = summary(pictures=60, breaks={"cut": 1})
        assert read()["edgecvar_pictures_total", source] == 60
        sink.finish(summary(pictures=70, breaks={"cut": 1, "lost": 2}))
        values = read()
    assert values["edgecvar_pictures_total", source] == 70 and values["edgecvar_breaks_total", source] == 3
    assert values["edgecvar_pictures_skipped_total", source] == 1 and values["edgecvar_source_up", source] == 0
    with made.for_source("cam", lambda: summary(pictures=5)):
        assert read()["edgecvar_pictures_total", source] == 75


def test_latency_is_a_histogram(scraped):
    made, _port, read = scraped
    with made.for_source("cam") as sink:
        for index in range(4):
            sink.decision(decision(index))  # 12 ms each
    values, source = read(), ("source", "cam")
    name = "edgecvar_decision_latency_seconds"
    assert values[name + "_count", source] == 4 and values[name + "_sum", source] == pytest.approx(0.048)
    buckets = [values[name + "_bucket", ("le", bound), source] for bound in (*map(repr, metrics.BUCKETS), "+Inf")]
    assert buckets == sorted(buckets) and (buckets[1], buckets[2], buckets[-1]) == (0, 4, 4)


def test_a_value_at_a_bound_is_within_it():
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 1.0, 2.0, 2.5):
        histogram.add(value)
    assert histogram.samples == [("1.0", 2), ("2.0", 3), ("+Inf", 4)] and histogram.sum == 6.0


def test_it_says_what_became_of_the_other_deliveries(scraped, tmp_path):
    made, _port, read = scraped
    with made.for_source("cam") as sink:
        sink.event(event(0))
    sink = ("sink", f"sqlite:{tmp_path}/log.db")
    soon(lambda: read()["edgecvar_delivered_total", sink] == 2)
    values = read()
    for what in ("delivery_failures_total", "delivery_refused_total", "delivery_dropped_total", "delivery_waiting"):
        assert values[f"edgecvar_{what}", sink] == 0


def test_names_of_strangers_stay_between_their_quotes(scraped):
    made, _port, read = scraped
    with made.for_source(HOSTILE) as sink:
        sink.event(event(0, HOSTILE))
        sink.event(event(1, 'x"} 1\nedgecvar_fake 7\n#'))
    values = read()
    escaped_name = escaped(HOSTILE)
    assert values["edgecvar_events_total", ("label", escaped_name), ("source", escaped_name)] == 1
    assert not any("fake" in name for name, *_ in values)
    assert escaped('"\\\n') == '\\"\\\\\\\\n'


def test_many_sources_are_counted_together_beyond_a_bound(scraped, monkeypatch):
    made, _port, read = scraped
    monkeypatch.setattr(metrics, "MOST_SOURCES", 3)
    for number in range(10):
        with made.for_source(f"file{number}") as sink:
            sink.decision(decision(0))
    values = read()
    assert {name[1][1]: value for name, value in values.items() if name[0] == "edgecvar_decisions_total"} == {
        "file0": 1,
        "file1": 1,
        "file2": 1,
        metrics.OTHERS: 7,
    }


def test_it_answers_metrics_alone(scraped):
    _made, port, _read = scraped
    assert ask(port, "/")[0] == ask(port, "/../etc/passwd")[0] == 404
    for request in (
        b"POST /metrics HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x00\r\n\r\n",
        b"GET /" + b"a" * 70000,
        b"\r\n\r\n",
    ):
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.settimeout(20)
            try:
                client.sendall(request)
                answer = client.recv(65536)
            except ConnectionError:
                continue
            assert b" 200 " not in answer and b"Python" not in answer
    assert ask(port, "/metrics?name=a")[0] == 200


def test_who_asks_and_says_no_more_holds_nobody_for_long(scraped):
    made, port, read = scraped
    with closing(socket.create_connection(("127.0.0.1", port))) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        over = threading.Event()

        def trickle():
            while not over.wait(0.05):
                try:
                    slow.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        with made.for_source("cam") as sink:
            sink.decision(decision(0))
        assert read()["edgecvar_decisions_total", ("source", "cam")] == 1
        over.set()
        thread.join()


def test_nothing_listens_beyond_loopback_unless_told(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "PORT", free_port())
    for uri in ("metrics:", "metrics://", f"metrics://:{free_port()}"):
        made = deliveries(tmp_path, uri)
        with made:
            (delivery,) = made._deliveries
            assert delivery._server.server_address[0] == "127.0.0.1" and "127.0.0.1" in delivery.name


def test_a_port_that_is_taken_is_an_error_before_anything_is_read(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        uri = f"metrics://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"{uri}: cannot listen there .*name another port"):
            deliveries(tmp_path, uri).__enter__()


def test_it_is_left_at_once_and_its_port_is_free(tmp_path):
    port = free_port()
    for _ in range(2):
        with deliveries(tmp_path, f"metrics://127.0.0.1:{port}"):
            assert ask(port)[0] == 200
        with pytest.raises(ConnectionRefusedError):
            ask(port)
    assert not [thread for thread in threading.enumerate() if thread.name == "edgecvar-metrics"]
