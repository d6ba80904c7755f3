"""The bundle that the package ships names what the clip that it ships shows, motion after motion."""

from __future__ import annotations

import pytest

import edgecvar
from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import open_bundle

SHOWN, PICTURES = ("left", "rotate_cw", "zoom_in", "still", "part", "up"), 48
"""Of the clip, in turn: 48 pictures each, 25 a second."""
SECONDS = PICTURES / 25


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_each_motion_is_named_within_a_second(precision):
    with edgecvar.load(runner="onnx", precision=precision) as model:
        decisions = list(model.run(str(default_clip())))
    assert decisions[-1].pts_seconds > len(SHOWN) * SECONDS - 0.2
    for number, label in enumerate(SHOWN):
        first = number * SECONDS
        settled = [each.label for each in decisions if first + 1 < each.pts_seconds < first + SECONDS]
        assert len(settled) > 10 and set(settled) == {label}


def test_it_sees_vectors_alone_in_every_precision_and_names_no_machine():
    bundle = open_bundle(default_bundle())
    (stage,) = bundle.manifest.stages
    assert [each.source for each in stage.inputs] == ["motion"] and stage.state
    assert {each.precision for each in bundle.manifest.files} == {"fp32", "fp16", "int8"}
    assert not bundle.manifest.provenance.untrained
    assert "/" not in bundle.manifest.model_dump_json().replace("data/synth/", "").replace("onnx/", "")
