"""The networks by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Type

from pydantic import BaseModel

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import unknown_name
from edgecvar.nets.attp import Attp, AttpOptions
from edgecvar.nets.network import Network
from edgecvar.nets.options import read_options


@dataclass(frozen=True)
class Entry:
    """A network's options and how to build it from them, an InputSpec and a number of classes."""

    options: Type[BaseModel]
    build: Callable[[Any, InputSpec, int], Network]


NETWORKS: Dict[str, Entry] = {
    "attp": Entry(AttpOptions, Attp),
}


def network_options(model: str, options: Mapping[str, Any]) -> BaseModel:
    """The options of `model`, defaults filled in; raises ConfigError naming the nearest known name or key."""
    if model not in NETWORKS:
        raise unknown_name("model", model, NETWORKS)
    return read_options(NETWORKS[model].options, options, model)


def build_network(model: str, options: Mapping[str, Any], spec: InputSpec, classes: int) -> Network:
    """A new network with random weights; raises ConfigError for an unknown model or option."""
    resolved = network_options(model, options)
    return NETWORKS[model].build(resolved, spec, classes)
