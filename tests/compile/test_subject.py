"""What is compiled: clear requests, and untrained weights that are the same each time and whose norms are settled."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.plan import plan_compilation
from edgecvar.compile.subject import find_subject, settle_norms
from edgecvar.errors import ConfigError
from tests.compile.checkpoints import saved_checkpoint

Configure = Callable[..., Any]


def test_settled_norms_keep_activations_alive(configure: Configure) -> None:
    plan = plan_compilation(configure({"backbone": {"width": 0.1, "depth": 0.6}}))
    subject = plan.subject
    batch = read_inputs(plan.clips, subject).batch()
    motion = batch.motion[:, 0]
    with torch.no_grad():
        faded = subject.network.stage("motion")(motion).std()
        settle_norms(subject.network, batch)
        alive = subject.network.stage("motion")(motion).std()
    assert faded < 1e-3 < 0.1 < alive
    assert not any(module.training for module in subject.network.modules())
    norms = [part for part in subject.network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


def test_untrained_weights_are_the_same_each_time(configure: Configure) -> None:
    before = torch.get_rng_state()
    first, second = (find_subject(configure()).network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_to_compile_must_be_clear(configure: Configure, clip: Path, tmp_path: Path) -> None:
    checkpoint = saved_checkpoint(tmp_path / "best.pt", tmp_path)
    for changes, message in (
        ({"checkpoint": checkpoint}, "one or the other"),
        ({"model": None}, "of which model"),
        ({"model": None, "untrained": False}, "name a model"),
        ({"untrained": False, "runs": tmp_path / "none"}, "train one with"),
        ({"model": "team", "checkpoint": checkpoint, "untrained": False}, "of 'attp', not of 'team'"),
        ({"network": {"fuson": "mv"}}, "did you mean 'fusion'"),
    ):
        with pytest.raises(ConfigError, match=message):
            find_subject(configure(**changes))
