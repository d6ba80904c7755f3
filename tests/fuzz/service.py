"""Any bytes as the configuration of a service, with an environment of its own."""

from __future__ import annotations

from typing import Dict

from edgecvar.errors import EdgecvarError
from edgecvar.serve.configuration.example import EXAMPLE
from edgecvar.serve.configuration.loading import load_config
from tests.fuzz.documents import folder, mutated, one_line

SECRET = "hunter2hunter2hunter2"
mutate = mutated


def seeds() -> Dict[str, bytes]:
    """The example as it is printed, and with all that it leaves out."""
    whole = EXAMPLE.replace("\n# ", "\n").replace("  # ", "  ")
    return {
        "example": EXAMPLE.encode(),
        "whole": whole.encode(),
        "short": b"sources: {a: 'x${A}'}\npage: {token: '${A}'}\n",
    }


def check(data: bytes) -> None:
    """What is wrong is said in a line each, and the environment's values are in none."""
    file = folder() / "edge.yaml"
    file.write_bytes(data)
    try:
        load_config(file, dict.fromkeys(("A", "DOOR_PASSWORD", "EDGECVAR_TOKEN", "MQTT_PASSWORD"), SECRET))
    except EdgecvarError as error:
        one_line(error)
        assert SECRET not in str(error)
