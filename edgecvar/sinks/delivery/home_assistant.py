"""What Home Assistant reads to know a source: its MQTT discovery.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, `sensor.mqtt` and `event.mqtt` there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Dict, Iterator, Tuple

from edgecvar import __version__
from edgecvar.terminal import printable

PREFIX = "homeassistant"
"""Where Home Assistant looks, unless it was told otherwise."""
ONLINE, OFFLINE = "online", "offline"
"""What it takes for that unless told otherwise."""
LONGEST_NAME = 60


@dataclass(frozen=True)
class Topics:
    """Below `base`: of the connection, and of one source."""

    base: str
    source: str

    @property
    def connection(self) -> str:
        return f"{self.base}/status"

    @property
    def status(self) -> str:
        return f"{self.base}/{word(self.source)}/status"

    @property
    def state(self) -> str:
        return f"{self.base}/{word(self.source)}/state"

    @property
    def event(self) -> str:
        return f"{self.base}/{word(self.source)}/event"


def word(name: str) -> str:
    """A name in letters, digits, _ and - alone, as topics of discovery have it; two names never have one word."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:LONGEST_NAME]
    if plain and plain == name:
        return name
    return f"{plain}-{sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def discovery(prefix: str, topics: Topics) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Topics and what is to be published there, retained: a sensor of the label, an entity of the events."""
    this = f"edgecvar_{word(topics.base)}_{word(topics.source)}"
    shared = {
        "availability": [{"topic": topics.connection}, {"topic": topics.status}],
        "availability_mode": "all",
        "device": {
            "identifiers": [this],
            "name": printable(topics.source),
            "manufacturer": "edgecvar",
            "model": "action recognition",
            "sw_version": __version__,
        },
        "origin": {"name": "edgecvar", "sw_version": __version__},
        "qos": 1,
    }
    yield (
        f"{prefix}/sensor/{this}/label/config",
        {
            "name": "Action",
            "unique_id": f"{this}_label",
            "state_topic": topics.state,
            "value_template": "{{ value_json.label[:255] }}",  # a state there is no longer
            "json_attributes_topic": topics.state,
            "icon": "mdi:run",
            **shared,
        },
    )
    yield (
        f"{prefix}/event/{this}/event/config",
        {
            "name": "Event",
            "unique_id": f"{this}_event",
            "state_topic": topics.event,
            "event_types": ["start", "end"],
            "icon": "mdi:motion-sensor",
            **shared,
        },
    )
