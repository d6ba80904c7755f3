"""YAML of plain values, bounded while it is read: what recipes, ablations and a service's configuration are."""

from __future__ import annotations

from typing import Any, Dict

import yaml

from edgecvar.documents import DEPTH, check_digits, check_keys, check_unicode, finite, too_deep

LENGTH = 1 << 17
"""Characters, and once more with every alias written out; PyYAML reads so many in some seconds."""


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of mappings, lists and plain values alone; dates are strings. Raises ValueError."""
    if len(text) > LENGTH:
        raise ValueError(f"longer than {LENGTH} characters")
    try:
        return yaml.load(text, _PlainLoader)  # a SafeLoader
    except (yaml.YAMLError, IndexError, KeyError, OverflowError) as error:  # the last three of scalars that are none
        raise ValueError(f"not YAML: {error}") from error


class _PlainLoader(yaml.SafeLoader):
    """Counts and compares nodes as they are made, before any value is."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._length = 0
        self._lengths: Dict[yaml.Node, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.AliasEvent)
        before = self._length
        self._depth += 1
        if self._depth > DEPTH + 1:
            raise too_deep()
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode):
            check_unicode(node.value)
        if alias and node not in self._lengths:
            raise ValueError("an alias stands in what it stands for")
        self._length += self._lengths[node] if alias else 1
        self._length += len(node.value) if isinstance(node, yaml.ScalarNode) and not alias else 0
        self._lengths[node] = self._length - before
        if self._length > LENGTH:
            raise ValueError(f"longer than {LENGTH} characters with its aliases written out")
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node: Any = super().compose_mapping_node(anchor)
        check_keys(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        return node

    def construct_float(self, node: Any) -> float:
        return finite(super().construct_yaml_float(node), node.value)

    def construct_int(self, node: Any) -> int:
        check_digits(node.value)
        return super().construct_yaml_int(node)


_TAG = "tag:yaml.org,2002:"
_PlainLoader.yaml_constructors = {
    **{
        f"{_TAG}{kind}": yaml.SafeLoader.yaml_constructors[_TAG + kind]
        for kind in ("null", "bool", "str", "seq", "map")
    },
    f"{_TAG}float": _PlainLoader.construct_float,
    f"{_TAG}int": _PlainLoader.construct_int,
    f"{_TAG}timestamp": yaml.SafeLoader.construct_yaml_str,
    None: yaml.SafeLoader.construct_undefined,
}
