"""Checkpoints that training code after that of temporal segment networks has saved, under torchvision's names.

TSM's (Lin et al. 2019), CoViAR's (Wu et al. 2018) and DMC-Net's (Shou et al. 2019) are of that family: what is saved is
a dictionary whose `state_dict` has one network's tensors under `module.base_model.`, its classifier and whatever else
was trained beside it. Where TSM shifts a convolution's input it stands in a module of its own, one `.net` deeper. Its
MobileNetV2 has the layers of a block in one row, as the checkpoint of its online demo has, which is that row alone.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

STATE = "state_dict"
PARALLEL, BASE = "module.", "base_model."

SHIFTED = re.compile(r"\.net\.(weight|bias)$")
"""How the name of a shifted convolution's tensor ends."""

ROW = re.compile(r"^features\.(\d+)\.conv\.(\d+)\.(\w+)$")
"""A tensor of an inverted residual block of MobileNetV2 whose layers are in one row, or of its last two."""

FIRST_IN_A_ROW = "features.1.conv.0.weight"
"""By this name such a file is known: the first block expands nothing, and torchvision has its layers one deeper."""

EXPANDING = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
"""Places in a row to torchvision's: the 1 x 1 convolution that expands, the depthwise one, the projection."""

PLAIN = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
"""Of the first block, which has no 1 x 1 convolution before the depthwise one."""


def plain_document(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A file's tensors under torchvision's names; of a file of another kind, and an unknown name, what it has."""
    inner = document.get(STATE)
    state: Mapping[str, Any] = inner if isinstance(inner, dict) else document
    state = {_without(str(name), PARALLEL): tensor for name, tensor in state.items()}
    if any(name.startswith(BASE) for name in state):
        state = {name[len(BASE) :]: tensor for name, tensor in state.items() if name.startswith(BASE)}
    state = {SHIFTED.sub(r".\1", name): tensor for name, tensor in state.items()}
    return _nested(state) if FIRST_IN_A_ROW in state else state


def _nested(state: Mapping[str, Any]) -> Dict[str, Any]:
    """MobileNetV2's blocks as torchvision nests them."""

    def own(name: str) -> str:
        found = ROW.match(name)
        if found is None:
            return name
        block, place, kind = found.groups()
        places = PLAIN if block == "1" else EXPANDING
        return f"features.{block}.conv.{places[place]}.{kind}" if place in places else name

    return {own(name): tensor for name, tensor in state.items()}


def _without(name: str, prefix: str) -> str:
    return name[len(prefix) :] if name.startswith(prefix) else name
