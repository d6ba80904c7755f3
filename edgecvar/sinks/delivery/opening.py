"""From the URI of a sink to what delivers there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Optional
from urllib.parse import unquote

from edgecvar.errors import ConfigError, need_extra, unknown_name
from edgecvar.files import state_folder
from edgecvar.sinks.delivery.address import Address, network_address, positive, settings_of, without_secrets
from edgecvar.sinks.delivery.delivery import Deliveries, Delivery
from edgecvar.sinks.delivery.waiting.counts import DeliveryCounts
from edgecvar.sinks.delivery.waiting.courier import Backoff
from edgecvar.sinks.delivery.waiting.spool import Bounds, Spool

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
WEB_PORTS = {"http": 80, "https": 443}
Counts = Callable[[], Mapping[str, DeliveryCounts]]


def default_spool() -> Path:
    """Where what waits is kept for the next start, unless said otherwise: $XDG_STATE_HOME/edgecvar/spool."""
    return state_folder() / "spool"


@dataclass(frozen=True)
class DeliveryOptions:
    """What URIs do not say. `spool`: the folder for what waits, `bounds` of it; `backoff` between attempts."""

    spool: Optional[Path] = None
    bounds: Bounds = field(default_factory=Bounds)
    backoff: Backoff = field(default_factory=Backoff)

    def spool_of(self, key: str) -> Spool:
        return Spool((self.spool or default_spool()) / key, self.bounds)


_DEFAULT = DeliveryOptions()


def open_deliveries(uris: Iterable[str], options: DeliveryOptions = _DEFAULT) -> Deliveries:
    """One for each URI, to be entered; raises ConfigError. Nothing outside is touched before that."""
    made: List[Delivery] = []
    deliveries = Deliveries(made)
    seen = set()
    for uri in uris:
        if uri in seen:
            raise ConfigError(f"{without_secrets(uri)}: given twice; once is enough")
        seen.add(uri)
        made.append(open_delivery(uri, options, lambda: deliveries.counts))
    return deliveries


def open_delivery(uri: str, options: DeliveryOptions = _DEFAULT, counts: Counts = dict) -> Delivery:
    """What delivers to `uri`, to be entered; raises ConfigError for a URI that is none of ours, or wants a package.

    `counts` of all deliveries, by name: for one that tells them.
    """
    scheme, mark, _ = uri.partition(":")
    known: Dict[str, Callable[[], Delivery]] = {
        "mqtt": lambda: _mqtt(uri, options),
        "mqtts": lambda: _mqtt(uri, options),
        "http": lambda: _webhook(uri, options),
        "https": lambda: _webhook(uri, options),
        "sqlite": lambda: _sqlite(uri, options),
        "metrics": lambda: _metrics(uri, counts),
    }
    if not mark:
        raise ConfigError(f"{without_secrets(uri)}: no URI; one begins with {', '.join(f'{each}:' for each in known)}")
    if scheme.lower() not in known:
        raise unknown_name("kind of sink", scheme, known)
    return known[scheme.lower()]()


def _mqtt(uri: str, options: DeliveryOptions) -> Delivery:
    address = network_address(uri, MQTT_PORTS[uri.partition(":")[0].lower()], ("discovery",))
    topic = unquote(address.path).strip("/")
    prefix = address.settings.get("discovery", "")
    if not topic:
        raise ConfigError(f"{address.name}: names no topic; write mqtt://HOST/TOPIC")
    for text in (topic, prefix):
        if re.search(r"[+#\x00-\x1f\x7f-\x9f\ud800-\udfff]", text) or text.startswith("$") or len(text) > 1000:
            raise ConfigError(f"{address.name}: no topic that can be published to; leave +, # and a first $ out")
    need_extra("live", "a sink by MQTT", "paho")
    from edgecvar.sinks.delivery.mqtt import Mqtt

    return Mqtt(replace(address, path=topic), options.spool_of(address.key), options.backoff)


def _webhook(uri: str, options: DeliveryOptions) -> Delivery:
    address = network_address(uri, WEB_PORTS[uri.partition(":")[0].lower()], ("secret",), settings_in="fragment")
    if not re.fullmatch(r"[!-~]*", address.path + address.query):
        raise ConfigError(f"{address.name}: a URL has no spaces, nor letters beyond ASCII; write them percent-encoded")
    from edgecvar.sinks.delivery.webhook import Webhook

    return Webhook(address, options.spool_of(address.key), options.backoff)


def _sqlite(uri: str, options: DeliveryOptions) -> Delivery:
    rest, _, query = uri[len("sqlite:") :].partition("?")
    file = rest[2:] if rest.startswith("///") else rest
    name = f"sqlite:{file}"
    if not file or file.startswith("//"):
        raise ConfigError(f"{without_secrets(uri)}: names no file; write sqlite:FILE")
    settings = settings_of(name, query, ("megabytes", "days"))
    megabytes, days = positive(name, settings, "megabytes", 256), positive(name, settings, "days", 365)
    from edgecvar.sinks.delivery.database import Limits
    from edgecvar.sinks.delivery.sqlite_log import SqliteLog

    key = f"sqlite-{sha256(os.fsencode(os.path.abspath(file))).hexdigest()[:16]}"
    limits = Limits(int(megabytes * (1 << 20)), min(days, 100_000))
    return SqliteLog(Path(file), limits, options.spool_of(key), options.backoff)


def _metrics(uri: str, counts: Counts) -> Delivery:
    from edgecvar.sinks.delivery.metrics import LOOPBACK, PORT, Metrics

    rest = uri[len("metrics:") :]
    if rest[:2] != "//" or rest[2:3] in ("", ":", "/"):
        rest = f"//{LOOPBACK}{rest[2:] if rest[:2] == '//' else rest}"
    address: Address = network_address(f"metrics:{rest}", PORT)
    if address.path not in ("", "/", "/metrics") or address.user is not None:
        raise ConfigError(f"{without_secrets(uri)}: expected metrics://HOST:PORT and no more")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return Metrics(replace(address, name=f"metrics://{host}:{address.port}"), counts)
