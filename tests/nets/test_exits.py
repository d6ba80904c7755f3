"""Networks with early exits: the stages are the whole, an exit is what has been seen, and learns from the next."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.features import Features
from edgecvar.nets.network import Network
from edgecvar.train.losses import EXIT_TEMPERATURE, ForwardPass, exits

pytestmark = pytest.mark.train

TINY = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
COVIAR: Dict[str, Any] = {"appearance": TINY, "motion": TINY, "residual": TINY, "exits": True}
ATTP: Dict[str, Any] = {"backbone": {"width": 0.1, "depth": 0.1}, "dim": 8, "exits": True}
SPEC = InputSpec(height=32, width=48, accumulate=True)
FORMS = {
    "coviar": ("coviar", COVIAR),
    **{f"attp {fusion}": ("attp", {**ATTP, "fusion": fusion}) for fusion in ("late", "bp", "tp", "ttp")},
}


def built(model: str, options: Dict[str, Any]) -> Network:
    torch.manual_seed(0)
    return build_network(model, options, SPEC, 4)


def batch(clips: int = 2, segments: int = 3) -> ClipBatch:
    generator = torch.Generator().manual_seed(1)

    def made(channels: int) -> Tensor:
        return torch.randn(clips, segments, channels, 32, 48, generator=generator)

    return ClipBatch(made(3), made(3), made(2), made(3), torch.arange(clips))


def staged(net: Network, inputs: ClipBatch) -> Dict[str, Tensor]:
    """Each stage's output of all pictures."""
    prepared = {"image": inputs.image, "motion": inputs.motion, "residual": inputs.residual}
    given: Dict[str, Tensor] = {}
    beside: Dict[str, Tensor] = {}
    for stage in net.stages():
        tensors = []
        for each in stage.inputs:
            if each.gop == "adjacent":
                tensors.append(beside[each.source])
            else:
                tensors.append(given[each.source] if each.source in given else prepared[each.source].flatten(0, 1))
        given[stage.name] = net.stage(stage.name)(*tensors)
        if stage.cadence == "gop":
            beside[stage.name] = net.stage(stage.name)(inputs.adjacent_image.flatten(0, 1))
    return given


@pytest.mark.parametrize("form", FORMS)
def test_the_stages_are_the_whole_and_its_exits(form: str) -> None:
    net, inputs = built(*FORMS[form]).eval(), batch()
    with torch.no_grad():
        features, given = net.features(inputs), staged(net, inputs)
        leaving = [*(stage.name for stage in net.stages() if stage.exit), "fuse"]
        assert len(features.exits) == len(leaving) == 3
        for name, scores in zip(leaving, features.exits):
            assert torch.allclose(given[name].unflatten(0, (2, 3)), scores, atol=1e-5)
        assert torch.allclose(features.exits[-1].mean(1), features.scores, atol=1e-5)
        assert torch.allclose(net(inputs), features.scores, atol=1e-5)


def test_modalities_run_from_the_cheapest_on() -> None:
    names = [(stage.name, stage.exit) for stage in built("coviar", COVIAR).stages()]
    expected = [("motion", True), ("residual", False), ("residual_exit", True), ("appearance", False), ("fuse", False)]
    assert names == expected
    names = [(stage.name, stage.exit) for stage in built("attp", ATTP).stages()]
    assert names[:2] == [("motion", False), ("motion_exit", True)] and names[3] == ("residual_exit", True)


def test_the_weights_of_the_fusion_begin_at_those_of_the_options_and_are_learned() -> None:
    net, inputs = built("coviar", COVIAR), batch()
    plain = built("coviar", {**COVIAR, "exits": False})
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if "logits" not in name})
    with torch.no_grad():
        assert torch.allclose(net.eval()(inputs), plain.eval()(inputs), atol=1e-6)
    exits(_forward(net, inputs)).value.backward()
    for name in ("fuse", "residual_exit"):
        logits = net.stage(name).logits
        assert logits.grad is not None and logits.grad.abs().max() > 0


def test_without_exits_nothing_is_other_than_before() -> None:
    net = built("coviar", {**COVIAR, "exits": False})
    assert [stage.name for stage in net.stages()] == ["appearance", "motion", "residual", "fuse"]
    assert not any(stage.exit for stage in net.stages()) and net.features(batch()).exits == ()
    assert built("attp", {**ATTP, "exits": False}).features(batch()).exits == ()


def test_two_streams_leave_after_the_first_alone() -> None:
    net = built("coviar", {**COVIAR, "weights": {"residual": 0}})
    assert [(stage.name, stage.exit) for stage in net.stages()] == [
        ("motion", True),
        ("appearance", False),
        ("fuse", False),
    ]
    assert len(net.features(batch()).exits) == 2


@pytest.mark.parametrize(
    "model, options, why",
    [
        ("coviar", {**COVIAR, "weights": {"residual": 0, "motion": 0}}, "appearance alone"),
        ("attp", {**ATTP, "fusion": "mv"}, "fusion mv has nothing to leave out"),
        ("attp", {**ATTP, "temporal": "online_shift"}, "must not be remembered"),
        ("attp", {**ATTP, "temporal": "conv"}, "must not be remembered"),
    ],
)
def test_exits_where_there_can_be_none_are_refused(model: str, options: Dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        built(model, options)


def _forward(net: Network, inputs: ClipBatch) -> ForwardPass:
    return ForwardPass(inputs, net.features(inputs), {}, 0.0)


def test_the_loss_is_the_exits_cross_entropy_and_what_each_learns_from_the_next() -> None:
    generator = torch.Generator().manual_seed(2)
    early, late = (torch.randn(2, 3, 4, generator=generator).requires_grad_() for _ in range(2))
    inputs = batch()
    term = exits(ForwardPass(inputs, Features(late.mean(1), exits=(early, late)), {}, 0.0))
    right = sum(functional.cross_entropy(each.mean(1), inputs.labels) for each in (early, late))
    divergence = 0.0
    for clip in range(2):
        for picture in range(3):
            p = (late[clip, picture] / EXIT_TEMPERATURE).softmax(0)
            q = (early[clip, picture] / EXIT_TEMPERATURE).softmax(0)
            divergence = divergence + (p * (p / q).log()).sum() / 6
    assert torch.allclose(term.value, right + EXIT_TEMPERATURE**2 * divergence, atol=1e-5)
    assert term.scores is not None and torch.equal(term.scores, late.mean(1))
    term.value.backward()
    alone = late.detach().clone().requires_grad_()
    functional.cross_entropy(alone.mean(1), inputs.labels).backward()
    assert torch.allclose(late.grad, alone.grad)  # a teacher learns nothing from its pupil


def test_a_network_without_exits_has_no_such_loss() -> None:
    with pytest.raises(ConfigError, match=r"network\.exits=true"):
        exits(ForwardPass(batch(), Features(torch.zeros(2, 4)), {}, 0.0))
