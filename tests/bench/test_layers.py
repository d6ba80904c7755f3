"""Which layers a session has: of stages that ran, of runners that time them, with a complaint where one cannot."""

from __future__ import annotations

import pytest

from edgecvar.bench.layers import LEAST, MOST, observed_layers
from edgecvar.bench.session import Phase
from edgecvar.errors import DeviceError
from edgecvar.runners.layer_times import EngineLayer, StageLayers


class Timed:
    """A runner that times layers, and fails at one stage."""

    def __init__(self):
        self.asked = {}

    def layer_times(self, stage, inputs, runs):
        self.asked[stage] = (inputs, runs)
        if stage == "broken":
            raise DeviceError("stage broken: it \x1b[2J fails")
        return StageLayers((EngineLayer("conv\n1", 0.5, "Conv", "fp16", "kernel", ("a", "b")),), runs, "part\nof it")


def phase(**spans_ms):
    counts = {"wall_seconds": 1.0, "pictures": 1, "sampled": 1, "decisions": 1}
    return Phase(**counts, spans_ms={f"stage:{name}": spans for name, spans in spans_ms.items()})


@pytest.mark.parametrize(
    ("spans", "runs"), [([100.0, 100.0], 10), ([0.01], MOST), ([5000.0], LEAST), ([], LEAST), ([0.0], MOST)]
)
def test_a_stage_is_timed_for_about_a_second(spans, runs):
    runner = Timed()
    (stage,) = observed_layers(runner, {"motion": {"motion": 1}}, [phase(motion=spans[:1]), phase(motion=spans[1:])])
    assert runner.asked == {"motion": ({"motion": 1}, runs)} and stage.runs == runs


def test_a_stage_that_cannot_be_timed_has_a_complaint_and_the_others_their_layers():
    broken, motion = observed_layers(Timed(), {"broken": {}, "motion": {}}, [])
    assert broken.layers == [] and broken.complaint == "stage broken: it \\x1b[2J fails"
    (layer,) = motion.layers
    assert (layer.name, layer.kind, layer.precision, layer.tactic) == ("conv\\n1", "Conv", "fp16", "kernel")
    assert (layer.nodes, layer.ms, motion.complaint) == (["a", "b"], 0.5, "part\\nof it")


def test_a_runner_that_times_nothing_gives_nothing():
    assert observed_layers(object(), {"motion": {}}, []) == []
