"""Checkpoints of the training code after TSN's: made with the names that this code gives, and loaded into networks."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.mobilenet import MobileNetOptions, MobileNetV2
from edgecvar.nets.backbones.resnet import ResNet
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import load_tensors
from edgecvar.train.weights.published import adapt_channels
from edgecvar.train.weights.released import plain_document
from edgecvar.train.weights.start import start_from as start_parts
from tests.train.weights.starting import FLAT, SPEC, Holder, start_from

pytestmark = pytest.mark.train

SMALL = MobileNetOptions(kind="mobilenet_v2", width=0.25)
TSM = {"temporal": "tsm", "segments": 2, "frames": "all"}


class Shift(nn.Module):
    """A module around the one whose input it shifts, called `net` there."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


class Row(nn.Module):
    """An inverted residual block as TSM's authors have it: all its layers in one row, `conv`."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        expand: List[nn.Module] = [] if inner == inputs else [nn.Conv2d(inputs, inner, 1, bias=False), *normed(inner)]
        depthwise = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        project = nn.Conv2d(inner, outputs, 1, bias=False)
        self.conv = nn.Sequential(*expand, depthwise, *normed(inner), project, nn.BatchNorm2d(outputs))


def normed(channels: int) -> List[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU6()]


class Rows(nn.Module):
    """Their MobileNetV2 with the channels of SMALL, of which the first row's are 8 before and after."""

    def __init__(self, shift: bool, classes: int) -> None:
        super().__init__()
        layers: List[nn.Module] = [nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), *normed(8)), Row(8, 8, 8, 1)]
        channels = 8
        for outputs, repeats in ((8, 2), (8, 3), (16, 4), (24, 3), (40, 3), (80, 1)):
            for place in range(repeats):
                block = Row(channels, 6 * channels, outputs, 1 if place else 2)
                if shift and place:
                    block.conv[0] = Shift(block.conv[0])
                layers.append(block)
                channels = outputs
        head = nn.Sequential(nn.Conv2d(80, 1280, 1, bias=False), *normed(1280))
        self.features = nn.Sequential(*layers, head)
        self.classifier = nn.Linear(1280, classes)


def checkpoint(base: nn.Module, **beside: nn.Module) -> Dict[str, Any]:
    """What their training saves of a network spread over GPUs: epoch, architecture, weights, optimiser."""
    network = nn.ModuleDict({"base_model": base, **beside})
    state = OrderedDict((f"module.{name}", tensor) for name, tensor in network.state_dict().items())
    optimizer = {
        "state": {0: {"momentum_buffer": torch.zeros(2)}},
        "param_groups": [{"lr": 0.1, "lr_mult": 1, "name": "first_conv_weight", "params": [0]}],
    }
    return {"epoch": 50, "arch": "any", "state_dict": state, "optimizer": optimizer, "best_prec1": 71.2}


def saved(path: Path, document: Any) -> Path:
    """As torch of 2019 wrote it."""
    torch.save(document, path, _use_new_zipfile_serialization=False)
    return path


def shifted_resnet() -> nn.Module:
    """FLAT with a module around the first convolution of every block, and without its classifier."""
    net: Any = ResNet(FLAT)
    for layer in net.layers():
        for block in layer:
            block.conv1 = Shift(block.conv1)
    return net  # type: ignore[no-any-return]


def tsn(**options: Any) -> Network:
    return build_network("tsn", {"backbone": FLAT.model_dump(), **options}, SPEC, 3)


def test_the_names_are_those_that_their_code_prints() -> None:
    """By the lines of ops/temporal_shift.py, ops/models.py and archs/mobilenet_v2.py: what is wrapped, and as what."""
    resnet = checkpoint(shifted_resnet(), new_fc=nn.Linear(64, 400))["state_dict"]
    assert {"module.base_model.conv1.weight", "module.base_model.layer1.0.conv1.net.weight"} <= set(resnet)
    assert {"module.base_model.layer2.0.downsample.0.weight", "module.new_fc.weight"} <= set(resnet)
    mobile = checkpoint(Rows(True, 400))["state_dict"]
    assert {"module.base_model.features.1.conv.3.weight", "module.base_model.classifier.bias"} <= set(mobile)
    assert "module.base_model.features.2.conv.0.weight" in mobile  # no shortcut, nothing shifted
    assert {f"module.base_model.features.3.conv.{name}" for name in ("0.net.weight", "7.running_var")} <= set(mobile)


@pytest.mark.parametrize("options", [{}, TSM, {"temporal": "online_shift", "frames": "all"}])
def test_tsms_resnet_starts_every_tsn_of_its_backbone(tmp_path: Path, options: Dict[str, Any]) -> None:
    given, target = shifted_resnet(), tsn(**options)
    line = start_from(target, [saved(tmp_path / "tsm.pth", checkpoint(given, new_fc=nn.Linear(64, 400)))])
    assert "1 backbones" in line and line.endswith("; afresh: appearance.classifier")
    state = target.state_dict()
    for name, tensor in given.state_dict().items():
        assert torch.equal(state[f"appearance.backbone.{name.replace('.net.', '.')}"], tensor), name


@pytest.mark.parametrize(
    "document",
    [
        lambda: checkpoint(Rows(True, 400)),
        lambda: checkpoint(Rows(True, 400), new_fc=nn.Linear(1280, 400)),
        lambda: Rows(False, 27).state_dict(),
    ],
    ids=["kinetics", "kinetics-new_fc", "jester_online"],
)
def test_their_mobilenet_has_our_names_one_row_deeper(tmp_path: Path, document: Callable[[], Any]) -> None:
    made = document()
    theirs = list(made.get("state_dict", made).items())
    target = tsn(backbone=SMALL.model_dump(), **TSM)
    start_from(target, [saved(tmp_path / "tsm.pth", made)])
    backbone = MobileNetV2(SMALL)
    # Both list a network's tensors in the order in which its layers run.
    outside = ("module.new_fc", "module.base_model.classifier", "classifier")
    expected = [tensor for name, tensor in theirs if not name.startswith(outside)]
    got = target.get_submodule("appearance.backbone").state_dict()
    assert list(got) == list(backbone.state_dict()) and len(expected) == len(got)
    for (name, tensor), given in zip(got.items(), expected):
        assert torch.equal(tensor, given), name


def test_a_stream_of_coviars_code_starts_one_with_its_input_channels(tmp_path: Path) -> None:
    """DMC-Net's flow network: two channels, a batch norm before it, the generator beside it."""
    flow = ResNet(FLAT, in_channels=2, classes=51)
    beside = {"data_bn": nn.BatchNorm2d(2), "gen_flow_model": nn.Conv2d(5, 8, 3)}
    file = saved(tmp_path / "_flow_model_best.pth.tar", checkpoint(flow, **beside))
    target = Holder(ResNet(FLAT, in_channels=2))
    assert "adapted" not in start_from(target, [file])
    assert torch.equal(target.backbone.state_dict()["conv1.weight"], flow.conv1.weight)
    options = {**dict.fromkeys(("appearance", "motion", "residual", "classifier"), FLAT.model_dump())}
    dmc = build_network("dmc", options, SPEC, 3)
    line = start_parts(dmc, {"classifier": [str(file)]}, SPEC, ["a", "b", "c"])
    assert line.startswith(f"classifier: {file}: 1 backbones")
    with pytest.raises(ConfigError, match=r"no weights of shape \(8, 3, 7, 7\) for conv1\.weight"):
        start_from(Holder(ResNet(FLAT)), [file])
    assert adapt_channels(flow.conv1.weight, 2) is flow.conv1.weight


def test_what_is_of_another_network_stays_so_and_is_named(tmp_path: Path) -> None:
    """TSM's non-local networks wrap blocks; their names are left as they are."""
    document = checkpoint(shifted_resnet(), new_fc=nn.Linear(64, 400))
    weights: Dict[str, Tensor] = document["state_dict"]
    weights["module.base_model.layer2.0.nl.g.weight"] = torch.zeros(1)
    with pytest.raises(ConfigError, match=r"weights of another network in it, such as layer2\.0\.nl\.g\.weight"):
        start_from(tsn(), [saved(tmp_path / "nl.pth", document)])


def test_nothing_else_is_renamed() -> None:
    plain = ResNet(FLAT, classes=3).state_dict()
    assert list(plain_document(plain)) == list(plain)
    torchvisions = MobileNetV2(SMALL, classes=3).state_dict()
    assert list(plain_document(torchvisions)) == list(torchvisions)


def test_nothing_of_such_a_file_is_unpickled(tmp_path: Path) -> None:
    class Loaded:
        def __reduce__(self) -> Any:
            return (tmp_path.joinpath("touched").touch, ())

    file = saved(tmp_path / "tsm.pth", {**checkpoint(shifted_resnet()), "args": Loaded()})
    with pytest.raises(ConfigError, match="not a torch file of plain tensors"):
        load_tensors(file)
    assert not (tmp_path / "touched").exists()
