"""A URI becomes a sink, or one line that says what is wrong with it, without the secrets in it."""

from __future__ import annotations

import pytest

import edgecvar.errors
from edgecvar.errors import ConfigError
from edgecvar.sinks.delivery.address import network_address, without_secrets
from edgecvar.sinks.delivery.opening import DeliveryOptions, default_spool, open_deliveries, open_delivery
from tests.deliveries import deliveries

BAD = {
    "mqqt://host/cam": "unknown kind of sink 'mqqt': did you mean 'mqtt'",
    "events.db": "events.db: no URI; one begins with mqtt:",
    "mqtt://host": "names no topic",
    "mqtt://host/": "names no topic",
    "mqtt://host/a/#": "a # means nothing here",
    "mqtt://host/a/%23": "no topic that can be published to",
    "mqtt://host/%24SYS": "no topic that can be published to",
    "mqtt://host/a%0Ab": "no topic that can be published to",
    "mqtt:///cam": "names no host",
    "mqtt://host:port/cam": "host or port is none",
    "mqtt://host:99999/cam": "host or port is none",
    "mqtt://[::1/cam": "host or port is none",
    "mqtt://host/cam?discvery=no": "unknown setting 'discvery' of mqtt://host/...: did you mean 'discovery'",
    "mqtt://host/cam?discovery=a&discovery=b": "'discovery' is given twice",
    "mqtt://host/cam?discovery": "not of the form key=value",
    "http://": "names no host",
    "http://host/with space": "percent-encoded",
    "http://host/hook#secert=A": "unknown setting 'secert' of http://host/...: did you mean 'secret'",
    "http://host/hook#secret=EDGECVAR_NOT_SET": "the environment has no EDGECVAR_NOT_SET",
    "sqlite:": "names no file",
    "sqlite://host/file": "names no file",
    "sqlite:a.db?megabyte=3": "unknown setting 'megabyte' of sqlite:a.db: did you mean 'megabytes'",
    "sqlite:a.db?megabytes=0": "expected a number above 0, got '0'",
    "sqlite:a.db?days=nan": "expected a number above 0, got 'nan'",
    "metrics://127.0.0.1:1/other": "expected metrics://HOST:PORT",
    "metrics://127.0.0.1:1?a=b": "takes no settings, got 'a'",
}


@pytest.mark.parametrize("uri, says", BAD.items())
def test_what_is_wrong_with_a_uri_is_one_line(tmp_path, uri, says):
    if uri.startswith("mqtt"):
        pytest.importorskip("paho.mqtt", reason="needs the live extra")
    with pytest.raises(ConfigError) as caught:
        open_delivery(uri, DeliveryOptions(tmp_path))
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


SECRETS = [
    "{}://user:s3cret@host:99999/cam",
    "{}://user:s3cret@host:port/cam",
    "{}://user:s3/cret@host/cam",
    "{}://user:s3?cret@host/cam",
    "{}://user:s3#cret@host/cam?wrong=1",
    "{}://user:s3@cret@host/cam?wrong=1",
    "{}://user:1883?s3cret@host/cam",
    "{}://user:s3cret@host/cam?wrong=1",
    "{}://user:s3cret@[::1/cam",
    "{}://s3cret@host:port/cam",
    "{}://user:s3\u2100cret@host/cam",
    "{}://user:s3cret@host/cam?password=s3cret&x",
]


@pytest.mark.parametrize("uri", SECRETS)
@pytest.mark.parametrize("scheme", ["mqtt", "http", "metrics"])
def test_no_error_shows_a_password(tmp_path, scheme, uri):
    uri = uri.format(scheme)
    try:
        shown = open_delivery(uri, DeliveryOptions(tmp_path)).name
    except ConfigError as error:
        shown = str(error)
    assert "s3" not in shown and "cret@" not in shown
    assert "s3" not in without_secrets(uri)


def test_of_a_webhook_neither_path_nor_query_is_shown():
    address = network_address("https://user:pw@host:8443/services/T0/s3cret?token=s3cret", 443, (), "fragment")
    assert address.name == "https://host:8443/..." and "pw" not in repr(address)
    assert (address.user, address.password, address.query) == ("user", "pw", "token=s3cret")


def test_parts_are_decoded_and_a_place_has_one_key_whatever_the_password():
    one = network_address("MQTT://us%40er:p%2Fw%40x@Host:1884/a/b?discovery=", 1883, ("discovery",))
    assert (one.scheme, one.user, one.password, one.host, one.port) == ("mqtt", "us@er", "p/w@x", "host", 1884)
    assert one.settings == {"discovery": ""} and one.name == "mqtt://host:1884/a/b"
    keys = [network_address(uri, 1883, ("discovery",)).key for uri in ("mqtt://host:1884/a/b", "mqtt://host:1884/a/c")]
    assert one.key == keys[0] != keys[1]
    assert network_address("mqtt://[::1]/a", 1883).name == "mqtt://[::1]/a"


def test_without_paho_mqtt_is_the_extra_named(tmp_path, monkeypatch):
    monkeypatch.setattr(edgecvar.errors, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"paho, not installed: pip install 'edgecvar\[live\]'"):
        open_delivery("mqtt://host/cam", DeliveryOptions(tmp_path))


def test_the_same_twice_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"http://host/\.\.\.: given twice"):
        open_deliveries(["http://host/s3cret", "sqlite:a", "http://host/s3cret"])


def test_equal_names_are_numbered(tmp_path):
    made = deliveries(tmp_path, "http://host/a", "http://host/b", "sqlite:c.db")
    assert list(made.counts) == ["http://host/...", "http://host/... (2)", "sqlite:c.db"]
    assert made.events_only == ["http://host/...", "http://host/..."]


def test_where_one_cannot_be_entered_those_before_are_left(tmp_path):
    made = deliveries(tmp_path, "http://127.0.0.1:1/a", f"sqlite:{tmp_path}/none/a.db")
    with pytest.raises(ConfigError, match="make the folder first"):
        made.__enter__()
    again = deliveries(tmp_path, "http://127.0.0.1:1/a")
    with again:
        assert (tmp_path / "spool").is_dir()
        (slot,) = (tmp_path / "spool").glob("*/*")
        assert slot.name == "0"


def test_what_waits_is_kept_where_state_belongs(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert str(default_spool()) == "/state/edgecvar/spool"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(default_spool()) == "/home/me/.local/state/edgecvar/spool"
