"""Small networks and random batches for the tests of the networks."""

from __future__ import annotations

from typing import Any, Callable

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
torch.set_num_threads(1)

TINY = {"width": 0.1, "depth": 0.1, "stochastic_depth": 0.0}


@pytest.fixture
def build() -> Callable[..., Any]:
    """A tiny ATTP for inputs of 64 x 96, in eval mode, seeded."""
    from edgecvar.clips.spec import InputSpec
    from edgecvar.nets.catalog import build_network

    def make(classes: int = 3, **options: Any) -> Any:
        torch.manual_seed(1)
        settings = {"backbone": TINY, "dim": 6, "dropout": 0.0, **options}
        return build_network("attp", settings, InputSpec(height=64, width=96), classes).eval()

    return make


@pytest.fixture
def batch() -> Callable[..., Any]:
    """Random prepared inputs of N clips x T segments, 64 x 96."""
    from edgecvar.nets.batch import ClipBatch

    def make(clips: int = 2, segments: int = 3, classes: int = 3, seed: int = 0) -> Any:
        random = torch.Generator().manual_seed(seed)

        def draw(channels: int) -> Any:
            return torch.randn(clips, segments, channels, 64, 96, generator=random)

        labels = torch.arange(clips) % classes
        inputs = draw(3), draw(3), draw(2), draw(3)
        return ClipBatch(*inputs, labels, frame=draw(3))

    return make


@pytest.fixture
def settle() -> Callable[[Any, Any], None]:
    """Sets the batch norm statistics to a batch's: at their start, deep activations of new weights vanish."""

    def run(network: Any, batch: Any) -> None:
        norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        network.train()
        with torch.no_grad():
            network(batch)
        network.eval()

    return run
