"""CoViAR + Flow (Shou et al. 2019, figure 4): optical flow in the place of the generated cue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network, network_options, network_outline
from edgecvar.train.losses import LOSSES, ForwardPass
from edgecvar.train.objective import Objective
from edgecvar.train.recipe import parse_recipe

pytestmark = pytest.mark.train

TINY = {"repeats": [1, 1, 1, 1], "width": 0.125}
SMALL = {"appearance": TINY, "motion": TINY, "residual": TINY, "classifier": TINY, "cue": "flow"}
SPEC = InputSpec.model_validate({"height": 32, "width": 48})


def drawn(seed: int = 0) -> ClipBatch:
    random = torch.Generator().manual_seed(seed)
    image, adjacent, residual = (torch.randn(2, 3, 3, 32, 48, generator=random) for _ in range(3))
    motion, flow = (torch.randn(2, 3, 2, 32, 48, generator=random) for _ in range(2))
    return ClipBatch(image, adjacent, motion, residual, torch.arange(2), flow)


def built(**options: Any) -> Any:
    torch.manual_seed(1)
    return build_network("dmc", {**SMALL, **options}, SPEC, 3)


def test_its_classifier_sees_the_flow_and_nothing_is_generated() -> None:
    network, batch = built().eval(), drawn()
    assert not hasattr(network, "generator") and network.sees_flow
    assert not any(name.startswith("generator") for name in network.state_dict())
    with torch.no_grad():
        assert network.features(batch).cue is None
        seen = torch.stack([network.classifier(batch.flow[:, each]) for each in range(3)]).mean(0)
        again = network.stream_scores("cue", replace(batch, motion=drawn(1).motion, residual=drawn(1).residual))
        assert torch.allclose(again, seen, atol=1e-5)
        other = network.stream_scores("cue", replace(batch, flow=drawn(1).flow))
        assert not torch.allclose(other, seen, atol=1e-3)
        each = [network.stream_scores(name, batch) for name in ("appearance", "motion", "residual", "cue")]
        fused = (2 * each[0] + each[1] + each[2] + each[3]) / 5
        assert torch.allclose(network(batch), fused, atol=1e-5)


def test_an_i3d_sees_the_flow_of_a_clip() -> None:
    network, batch = built(i3d=TINY, segments=3).eval(), drawn()
    with torch.no_grad():
        expected = network.classifier(batch.flow.transpose(1, 2))
        assert torch.equal(network.stream_scores("cue", batch), expected)


@pytest.mark.parametrize(
    ("weights", "sources"),
    [({}, {"image", "motion", "residual"}), ({"appearance": 0, "motion": 0, "residual": 0}, set())],
)
def test_it_takes_what_its_streams_take(weights: Dict[str, int], sources: Any) -> None:
    outline = network_outline("dmc", {**SMALL, "weights": weights}, SPEC)
    assert outline.prepared_inputs() == sources and outline.sees_flow
    plain = network_outline("dmc", {**SMALL, "weights": weights, "cue": "generated"}, SPEC)
    assert plain.prepared_inputs() == sources | {"motion", "residual"} and not plain.sees_flow


def test_no_device_runs_it() -> None:
    network = built()
    for asked in (network.stages, network.stage_modules):
        with pytest.raises(ConfigError, match=r"cue=flow needs optical flow, which no device has.*cue=generated"):
            asked()
    with pytest.raises(ValueError, match="a batch without optical flow"):
        network(replace(drawn(), flow=None))


def test_losses_of_a_cue_say_that_there_is_none() -> None:
    batch = drawn()
    forward = ForwardPass(batch, built().features(batch), {}, 0.0)
    for name in ("reconstruction", "adversarial"):
        with pytest.raises(ConfigError, match="compares generated motion with flow, but the network makes none"):
            LOSSES[name].term(replace(forward, companions={"discriminator": torch.nn.Identity()}))
    course = parse_recipe("{model: dmc, data: x, losses: {streams: 1, discriminator: 1, adversarial: 1}}").course
    with pytest.raises(ConfigError, match="Dmc has no 'discriminator'"):
        Objective(course, parse_recipe("{model: dmc, data: x}").descent, built(), torch.device("cpu"))


def test_the_cue_is_generated_unless_flow_is_asked_for() -> None:
    assert network_options("dmc", {}).model_dump()["cue"] == "generated"
    with pytest.raises(ConfigError, match="'generated' or 'flow'"):
        network_options("dmc", {"cue": "flo"})
