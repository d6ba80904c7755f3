"""Our own networks as they are compiled: counted as on their modules, and fused as they are drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.predict.fusion import FusionRules, fuse
from edgecvar.predict.graph import read_graph
from edgecvar.predict.published.catalog import network

SIDE = 64
SYNTH = {"channels": 12, "width": 64, "decay": 0.8, "residual": False}
"""The network of recipes/synth/motion.yaml, whose bundle the package ships."""

pytestmark = pytest.mark.train


def file_layers(path: Path):
    return fuse(read_graph(path.read_bytes()), "fp32", FusionRules())


def multiply_adds(layers):
    return sum(layer.multiply_adds for layer in layers)


def built(name, options, spec, classes):
    pytest.importorskip("torch", reason="needs the train extra")
    from edgecvar.nets.catalog import build_network
    from edgecvar.nets.cost.complexity import describe_network

    made = build_network(name, options, spec, classes).eval()
    return made, {stage.name: stage.multiply_adds for stage in describe_network(made, spec.gop_length).stages}


def test_the_shipped_bundle_has_the_multiply_adds_of_its_network():
    bundle = open_bundle(default_bundle())
    _, counted = built("motion", SYNTH, bundle.manifest.input, len(bundle.manifest.labels))
    assert counted
    for precision in ("fp32", "fp16", "int8"):
        files = {name: bundle.stage_file(name, precision) for name in counted}
        assert {name: multiply_adds(file_layers(file)) for name, file in files.items()} == counted


def test_a_stage_with_gates_has_its_multiply_adds(tmp_path):
    pytest.importorskip("torch", reason="needs the train extra")
    from edgecvar.compile.onnx.export import export_stage
    from tests.small_networks import SMALL

    made, counted = built("attp", SMALL["attp"].network, InputSpec(height=SIDE, width=SIDE), 5)
    spec = next(stage for stage in made.stages() if stage.name == "motion")
    export_stage(made.stage(spec.name), spec, tmp_path / "s.onnx")
    assert multiply_adds(file_layers(tmp_path / "s.onnx")) == counted["motion"]


def test_resnet18_is_fused_as_it_is_drawn(tmp_path):
    """But for the sum of a projecting block, drawn with its second convolution, and biases, which are drawn."""
    pytest.importorskip("torch", reason="needs the train extra")
    from edgecvar.compile.onnx.export import export_stage
    from edgecvar.nets.backbones.resnet import RESNETS, ResNet

    taken = StageInput(name="image", source="image", shape=[3, SIDE, SIDE])
    spec = StageSpec(name="s", cadence="picture", inputs=[taken], output_shape=[1000])
    export_stage(ResNet(RESNETS["resnet18"], classes=1000).eval(), spec, tmp_path / "s.onnx")
    ours, drawn = file_layers(tmp_path / "s.onnx"), network("resnet18", "fp32", (3, SIDE, SIDE))

    def shapes(layers):
        return Counter(
            (each.kind, each.multiply_adds, each.writes, each.places, each.inputs, each.outputs, each.stride)
            for each in layers
        )

    assert shapes(ours) == shapes(drawn)
    assert sum(layer.reads for layer in ours) == sum(layer.reads for layer in drawn)
    assert sum(len(layer.nodes) for layer in ours) == sum(len(layer.nodes) for layer in drawn)
    biases = sum(4 * each.outputs for each in drawn if each.multiply_adds)
    assert sum(layer.weights for layer in ours) == sum(layer.weights for layer in drawn) - biases
    assert Counter(each.operators for each in ours)[("Conv", "Add", "Relu")] == 8
    projected = [each for each in ours if each.kind == "pointwise"]
    assert [each.operators for each in projected] == [("Conv", "Add", "Relu")] * 3
