"""Which test each stream of a network is given, where a recipe's `test` says that they differ."""

from __future__ import annotations

from typing import Dict, List, Tuple

from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.coviar import LateFused
from edgecvar.nets.network import Network
from edgecvar.train.parts import Views

Protocols = List[Tuple[Views, Tuple[str, ...]]]
"""Each test, and the streams that it is of; none where it is of the network as a whole."""


def protocols(network: Network, views: Views, model: str) -> Protocols:
    """The tests of a recipe; raises ConfigError for one that the network, called `model`, cannot be given."""
    if not views.test.streams:
        _check(views, "test")
        return [(views, ())]
    if not isinstance(network, LateFused):
        raise ConfigError(f"test.streams: {model} fuses no streams late; set test alone, or take coviar or dmc")
    for name in views.test.streams:
        if name not in network.streams:
            raise unknown_name("stream", name, network.streams, f" of {model} in test.streams")
    tests: Dict[str, Views] = {}
    streams: Dict[str, Tuple[str, ...]] = {}
    for name in network.streams:
        test = views.model_copy(update={"test": views.test.of(name)})
        _check(test, f"test.streams.{name}" if name in views.test.streams else "test")
        key = test.test.model_dump_json()
        tests[key], streams[key] = test, (*streams.get(key, ()), name)
    return [(tests[key], streams[key]) for key in tests]


def _check(views: Views, place: str) -> None:
    """Raises ConfigError for a test, stated at `place`, that its sampling cannot give."""
    if views.sampling.name == "stream" and views.test.clips > 1:
        raise ConfigError(
            f"{place}.clips={views.test.clips}: with sampling=stream a clip is looked at once, from its start"
        )
