"""A broker hears every event, whatever happens to it, with what each source sees and whether it is there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest

from edgecvar.sinks.delivery import broker, delivery
from edgecvar.sinks.delivery.home_assistant import Topics, discovery, word
from edgecvar.sinks.delivery.mqtt import PASSWORD
from tests.deliveries import (
    HOSTILE,
    PYTHON,
    Listener,
    Mosquitto,
    decision,
    deliveries,
    event,
    needs_mosquitto,
    soon,
    stalling,
)

pytest.importorskip("paho.mqtt", reason="needs the live extra")


def counts(made):
    (each,) = made.counts.values()
    return each


def numbers(listener):
    return [int(json.loads(payload)["start_seconds"]) for payload in listener.of("/event")]


@pytest.fixture
def server(tmp_path):
    with Mosquitto(tmp_path / "mosquitto") as server:
        yield server


@needs_mosquitto
def test_events_arrive_once_in_order_and_states_are_retained(tmp_path, server):
    with Listener(server.port) as listener:
        with deliveries(tmp_path, f"mqtt://127.0.0.1:{server.port}/home/door") as made:
            with made.for_source("cam") as sink:
                sink.decision(decision(1, "right"))
                for number in range(50):
                    sink.event(event(number))
                soon(lambda: listener.of("/state"))
                with Listener(server.port) as later:
                    soon(lambda: len({topic for topic, _, retained in later.messages if retained}) >= 3)
                    kept = {topic: payload for topic, payload, retained in later.messages if retained}
            soon(lambda: len(listener.of("/event")) == 50)
        soon(lambda: listener.of("door/status")[-1:] == [b"offline"])
    assert numbers(listener) == list(range(50)) and counts(made).delivered == 50 and counts(made).failed == 0
    assert kept["home/door/status"] == kept["home/door/cam/status"] == b"online"
    state = json.loads(kept["home/door/cam/state"])
    assert (state["label"], state["probability"]) == ("right", 0.8)
    assert listener.of("cam/status")[-1] == b"offline"
    assert "home/door/cam/event" not in kept


@needs_mosquitto
def test_states_come_at_most_once_a_second(tmp_path, server):
    with Listener(server.port) as listener, deliveries(tmp_path, f"mqtt://127.0.0.1:{server.port}/door") as made:
        begun = time.monotonic()
        with made.for_source("cam") as sink:
            for number in range(150):
                sink.decision(decision(number))
                sink.event(event(number))
                time.sleep(0.01)
            soon(lambda: len(listener.of("/event")) == 150)
        taken = time.monotonic() - begun
        soon(lambda: listener.of("/state"))
        assert 1 <= len(listener.of("/state")) <= taken + 2


@needs_mosquitto
def test_a_broker_that_is_killed_and_comes_back_gets_what_it_missed(tmp_path, server, monkeypatch):
    with Listener(server.port, lasting=True) as listener:
        server.save()
        with deliveries(tmp_path, f"mqtt://127.0.0.1:{server.port}/door") as made, made.for_source("cam") as sink:
            for number in range(10):
                sink.event(event(number))
            soon(lambda: counts(made).delivered == 10)
            server.kill()
            for number in range(10, 30):
                sink.event(event(number))
            soon(lambda: counts(made).failed > 0)
            assert counts(made).waiting == 20 and counts(made).trouble
            server.start()
            soon(lambda: counts(made).delivered == 30)
            soon(lambda: set(numbers(listener)) == set(range(30)))
            soon(lambda: listener.of("cam/status"))
    assert (counts(made).waiting, counts(made).dropped, counts(made).trouble) == (0, 0, "")


@needs_mosquitto
def test_one_that_is_away_to_the_end_gets_it_from_the_next_run(tmp_path, server):
    uri = f"mqtt://127.0.0.1:{server.port}/door"
    server.kill()
    with deliveries(tmp_path, uri) as made, made.for_source("cam") as sink:
        sink.event(event(7))
    assert counts(made).waiting == 1 and counts(made).delivered == 0
    server.start()
    with Listener(server.port) as listener, deliveries(tmp_path, uri):
        soon(lambda: numbers(listener) == [7])


@needs_mosquitto
def test_a_second_client_is_told_of_a_death(tmp_path, server):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.deliveries import deliveries\n"
        "with deliveries(Path(sys.argv[1]), sys.argv[2]) as made, made.for_source('cam'):\n"
        "    time.sleep(60)\n"
    )
    uri = f"mqtt://127.0.0.1:{server.port}/door"
    with Listener(server.port, "door/status") as listener:
        process = subprocess.Popen([PYTHON, "-c", program, str(tmp_path), uri], env={**os.environ, "PYTHONPATH": "."})
        soon(lambda: listener.of("status") == [b"online"])
        process.send_signal(signal.SIGKILL)
        process.wait()
        soon(lambda: listener.of("status") == [b"online", b"offline"])


@needs_mosquitto
def test_home_assistant_finds_a_sensor_and_an_event(tmp_path, server):
    with deliveries(tmp_path, f"mqtt://127.0.0.1:{server.port}/door") as made, made.for_source("front cam"):
        with Listener(server.port) as first:
            soon(lambda: len(first.of("/config")) == 2 and len(first.of("status")) == 2)
        with Listener(server.port) as listener:
            soon(lambda: len(listener.of("/config")) == 2 and len(listener.of("status")) == 2)
    configs = {topic: json.loads(payload) for topic, payload, kept in listener.messages if topic.endswith("config")}
    assert all(kept for topic, _, kept in listener.messages if topic.endswith("config"))
    topics = {topic for topic, _, _ in listener.messages}
    for topic, config in configs.items():
        assert re.fullmatch(r"homeassistant/(sensor|event)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
        assert {each["topic"] for each in config["availability"]} <= topics and config["availability_mode"] == "all"
        assert config["device"]["identifiers"] and config["device"]["name"] == "front cam"
        assert config["origin"]["name"] == "edgecvar" and config["state_topic"].startswith("door/")
    sensor, entity = (configs[topic] for topic in sorted(configs, reverse=True))
    assert sensor["value_template"] == "{{ value_json.label[:255] }}" and sensor["state_topic"].endswith("/state")
    assert entity["event_types"] == ["start", "end"] and entity["state_topic"].endswith("/event")
    assert sensor["unique_id"] != entity["unique_id"]


@needs_mosquitto
@pytest.mark.parametrize("prefix", ["", "ha"])
def test_discovery_is_elsewhere_or_off(tmp_path, server, prefix):
    uri = f"mqtt://127.0.0.1:{server.port}/door?discovery={prefix}"
    with Listener(server.port) as listener, deliveries(tmp_path, uri) as made, made.for_source("cam"):
        soon(lambda: listener.of("cam/status"))
        configs = [topic for topic, _, _ in listener.messages if topic.endswith("config")]
        assert len(configs) == (2 if prefix else 0) and all(topic.startswith("ha/") for topic in configs)


@needs_mosquitto
def test_names_of_strangers_make_no_other_topics(tmp_path, server):
    with Listener(server.port) as listener, deliveries(
        tmp_path, f"mqtt://127.0.0.1:{server.port}/door"
    ) as made, made.for_source(HOSTILE) as sink:
        sink.decision(decision(0, HOSTILE))
        sink.event(event(0, HOSTILE))
        soon(lambda: listener.of("/event") and listener.of("/state"))
    assert all(re.fullmatch(r"[A-Za-z0-9_/-]+", topic) for topic, _, _ in listener.messages)
    assert all(b"\n" not in payload and b"\x1b" not in payload for _, payload, _ in listener.messages)
    assert json.loads(listener.of("/event")[0])["label"] == 'a "b"\\c\\nd\\x1b[2J/+#\\udcff,{é}'


def test_a_word_for_a_topic_is_one_names_own():
    names = ["cam", "front cam", "front_cam", "front/cam", "front+cam", HOSTILE, "", "#", "é", "a" * 300, "a" * 301]
    words = [word(name) for name in names]
    assert len(set(words)) == len(names) and words[0] == "cam"
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,80}", each) for each in words)
    topics = [topic for name in names for topic, _ in discovery("homeassistant", Topics("base", name))]
    assert len(set(topics)) == 2 * len(names)


@needs_mosquitto
def test_a_password_is_taken_from_the_uri_or_the_environment_and_never_shown(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "passwords").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(folder / "passwords"), "me", "s3:cr@t"], check=True)
    with Mosquitto(folder, (folder / "passwords").read_text()) as server:
        place = f"127.0.0.1:{server.port}/door"
        with deliveries(tmp_path, f"mqtt://me:wrong@{place}") as made, made.for_source("cam") as sink:
            sink.event(event(0))
            soon(lambda: counts(made).failed)
            assert "Not authorized" in counts(made).trouble or "Bad user" in counts(made).trouble
        monkeypatch.setenv(PASSWORD, "s3:cr@t")
        for login in ("me:s3%3Acr%40t@", "me@"):
            with deliveries(tmp_path, f"mqtt://{login}{place}") as made, made.for_source("cam") as sink:
                sink.event(event(0))
                soon(lambda: counts(made).delivered)
        assert "s3" not in repr(made.counts) and "me" not in made._deliveries[0].name
    assert "s3" not in "".join(capfd.readouterr())


def test_a_broker_that_lets_in_and_never_answers_holds_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(broker, "ANSWER", 0.2)
    monkeypatch.setattr(delivery, "LEAVING", 0.1)
    with stalling() as (port, came), deliveries(tmp_path, f"mqtt://127.0.0.1:{port}/door") as made, made.for_source(
        "cam"
    ) as sink:
        for number in range(100):
            sink.event(event(number))
        soon(lambda: counts(made).failed >= 2 and len(came) >= 2)
        assert counts(made).trouble == "no answer"
    assert counts(made).waiting == 100


def test_a_broker_that_acknowledges_nothing_is_asked_again(tmp_path, monkeypatch):
    """It accepts the connection, and then is silent."""
    monkeypatch.setattr(broker, "ANSWER", 0.3)
    monkeypatch.setattr(delivery, "LEAVING", 0.1)
    with stalling() as (port, came), deliveries(
        tmp_path, f"mqtt://127.0.0.1:{port}/door?discovery="
    ) as made, made.for_source("cam") as sink:
        sink.event(event(0))
        for place in range(2):
            connection = soon(lambda place=place: len(came) > place and came[place])
            connection.sendall(b"\x20\x02\x00\x00")
            soon(lambda place=place: counts(made).failed > place)
            assert counts(made).trouble == "no acknowledgement"
    assert counts(made).waiting == 1
