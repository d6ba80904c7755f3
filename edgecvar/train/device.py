"""Where torch computes."""

from __future__ import annotations

import torch

from edgecvar.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of "auto", "cpu" or "cuda"; raises ConfigError where there is no CUDA device."""
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device=cuda, but torch sees no CUDA device; use device=cpu or install torch with CUDA")
    return torch.device("cuda" if present and name != "cpu" else "cpu")
