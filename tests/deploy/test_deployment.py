"""What is decided about a deploy before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.deploy.deployment import DeployConfig, deploy, make_plan
from edgecvar.deploy.facts import read_facts
from edgecvar.deploy.target import Target
from edgecvar.errors import ConfigError
from tests.deploy.test_facts import ORIN, PYTHON
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(tiny_bundle(tmp_path))


@pytest.mark.parametrize(
    ("tensorrt", "signed", "ends"),
    [("10.3.0", False, "-py3.10-tensorrt"), (None, False, "-py3.10"), ("10.3.0", True, "-py3.10-tensorrt-signed")],
)
def test_an_environment_is_another_where_it_has_another_thing(
    bundle: Bundle, tmp_path: Path, tensorrt: Any, signed: bool, ends: str
) -> None:
    (tmp_path / "fleet.pub").write_text("key")
    trust = tmp_path / "fleet.pub" if signed else None
    facts: Dict[str, Any] = {**ORIN, "python": {**PYTHON, "tensorrt": tensorrt}}
    plan = make_plan(read_facts(facts), bundle, DeployConfig(trust=trust), None)
    assert plan.environment.endswith(f"-index{ends}")
    assert any(step.startswith("install") for step in plan.steps)
    there = read_facts({**facts, "environments": [plan.environment]})
    assert not any(
        step.startswith("install") for step in make_plan(there, bundle, DeployConfig(trust=trust), None).steps
    )


def test_a_key_and_no_key_are_not_asked_for_at_once(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="--unsigned: a key to trust is given, too"):
        deploy(Target("nobody@127.0.0.1"), bundle, DeployConfig(trust=Path("fleet.pub"), unsigned=True))


@pytest.mark.parametrize(
    ("runs", "unjudged", "service", "unchanged"),
    [(True, False, True, True), (False, False, True, False), (True, True, True, False), (False, False, False, True)],
)
def test_there_already_is_what_runs_and_was_found_well(
    bundle: Bundle, runs: bool, unjudged: bool, service: bool, unchanged: bool
) -> None:
    config = DeployConfig(service=service)
    plan = make_plan(read_facts(ORIN), bundle, config, None)
    current = {"number": 4, "version": "1", "environment": plan.environment, "bundle": plan.bundle}
    files = {name: part.sha256 for name, part in plan.files.items()}
    there = {
        **ORIN,
        "current": {**current, "files": files, "config": plan.text.text},
        "unjudged": unjudged,
        "service": {**ORIN["service"], "active": True, "runs_current": runs},
    }
    again = make_plan(read_facts(there), bundle, config, None)
    assert again.unchanged is unchanged
    assert any("goes back to release 4 first" in note for note in again.judgement.notes) is unjudged
