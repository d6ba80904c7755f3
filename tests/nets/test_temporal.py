"""Networks of single pictures made to remember: a stream is its clip, nothing looks ahead, the order matters."""

from __future__ import annotations

from typing import Any, Dict

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.bundle.plan import plan_stages  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.catalog import build_network  # noqa: E402
from edgecvar.nets.temporal import Remembering  # noqa: E402

SPEC = InputSpec(height=64, width=64)
TINY = {"width": 0.1, "depth": 0.1, "dropout": 0.0, "stochastic_depth": 0.0}
RESNET = {"block": "bottleneck", "repeats": [1, 1, 1, 1], "width": 0.125}
PAST = {"width": 16, "dilations": [1, 2], "dropout": 0.0}
NETWORKS: Dict[str, Dict[str, Any]] = {
    "attp": {"backbone": TINY, "dim": 16},
    "team": {"appearance": TINY, "motion": TINY, "residual": TINY},
    "tsn": {"backbone": RESNET},
}


def batch(clips: int, pictures: int) -> ClipBatch:
    made = [torch.randn(clips, pictures, channels, 64, 64) for channels in (3, 3, 2, 3)]
    return ClipBatch(*made, labels=torch.zeros(clips, dtype=torch.int64))


@pytest.fixture(params=NETWORKS)
def network(request: Any) -> Any:
    torch.manual_seed(0)
    made = build_network(request.param, {**NETWORKS[request.param], "temporal": PAST}, SPEC, 5)
    assert isinstance(made, Remembering)
    made(batch(2, 8))  # so that batch norm has seen something
    return made.eval()


def test_the_stages_end_in_what_recalls_them(network: Any) -> None:
    last = plan_stages(network.stages()).stages[-1]
    assert last.spec.name == "recall" and last.in_order and last.spec.output_shape == [5]
    assert [each.tensor.shape for each in last.inputs] == [[16]]
    assert set(network.stage_modules()) == {each.name for each in network.stages()}


def test_picture_by_picture_is_the_clip(network: Any) -> None:
    clips = batch(2, 9)
    with torch.no_grad():
        whole, features = network.each_picture(clips), network.pictures.each_picture(clips)
        states = [torch.zeros(2, *shape) for shape in network.recall.past.state_shapes.values()]
        for place in range(9):
            scores, *states = network.recall(features[:, place], *states)
            assert torch.allclose(scores, whole[:, place], atol=1e-5)
        assert torch.allclose(network(clips), whole.mean(1), atol=1e-6)


def test_nothing_looks_ahead_and_the_order_matters(network: Any) -> None:
    features = torch.randn(1, 10, 16)
    with torch.no_grad():
        whole, changed = network.recall.sequence(features), features.clone()
        changed[:, 6:] = torch.randn(1, 4, 16)
        other = network.recall.sequence(changed)
        assert torch.allclose(whole[:, :6], other[:, :6], atol=1e-6) and not torch.allclose(whole[:, 6:], other[:, 6:])
        assert not torch.allclose(whole[:, -1], network.recall.sequence(features.flip(1))[:, -1])


def test_conv_is_a_name_and_average_what_the_papers_do() -> None:
    named = build_network("attp", {"backbone": TINY, "dim": 16, "temporal": "conv"}, SPEC, 5)
    assert isinstance(named, Remembering)
    assert not isinstance(build_network("attp", {"backbone": TINY, "dim": 16}, SPEC, 5), Remembering)
    with pytest.raises(ConfigError, match=r"unknown temporal .* 'conv'"):
        build_network("attp", {"temporal": "convolution"}, SPEC, 5)
