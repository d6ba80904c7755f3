"""Which test each stream of a network is given, where a recipe's `test` says that they differ."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.coviar import LateFused
from edgecvar.nets.network import Network
from edgecvar.train.parts import Views

Protocols = List[Tuple[Views, Tuple[str, ...]]]
"""Each test, and the streams that it is of; none where it is of the network as a whole."""


def protocols(network: Network, views: Views, model: str) -> Protocols:
    """The tests of a recipe; raises ConfigError for a stream's that the network, called `model`, cannot be given."""
    if not views.test.streams:
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
        place = f"test.streams.{name}" if name in views.test.streams else "test"
        check_test(test, network.stream_segments(name), f"the stream {name} of {model}", place)
        key = test.test.model_dump_json()
        tests[key], streams[key] = test, (*streams.get(key, ()), name)
    return [(tests[key], streams[key]) for key in tests]


def check_test(views: Views, segments: Optional[int], who: str, place: str = "test") -> None:
    """Raises ConfigError for a test that cannot be, stated at `place`; `who` looks at clips of so many `segments`."""
    if views.sampling.name == "stream" and views.test.clips > 1:
        raise ConfigError(
            f"{place}.clips={views.test.clips}: with sampling=stream a clip is looked at once, from its start"
        )
    if segments is not None and views.test_segments != segments:
        raise ConfigError(f"{place}.segments={views.test_segments}, but {who} looks at clips of {segments} pictures")
