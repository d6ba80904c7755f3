"""Exits as a bundle has them: which stages may be one, and how sure each must be."""

from __future__ import annotations

from typing import List

import pytest
from pydantic import ValidationError

from edgecvar.bundle.exits import ExitRecord, ExitRule, exit_rules
from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import StageInput, StageSpec, StageState
from edgecvar.errors import BundleError, ConfigError
from tests.run.scripted import FUSE, MOTION, manifest

OUT = MOTION.model_copy(update={"name": "out", "output_shape": [3], "exit": True})
STAGES = [OUT, FUSE.model_copy(update={"inputs": [StageInput(name="out", source="out", shape=[3])]})]


def test_stages_say_nothing_of_exits_unless_they_are_some() -> None:
    assert not StageSpec.model_validate(MOTION.model_dump(exclude={"exit"})).exit
    document = manifest(STAGES).model_dump(exclude={"exits"})
    assert Manifest.model_validate(document).exits is None


LAST = STAGES[1]
PAST = StageState(name="past", shape=[2])
SEVERAL = StageInput(name="several", source="out", segments=2, shape=[2, 3])


@pytest.mark.parametrize(
    "stages, why",
    [
        ([OUT, LAST.model_copy(update={"exit": True})], "the last stage is no exit"),
        ([OUT.model_copy(update={"output_shape": [4]}), LAST], "gives the class scores"),
        ([OUT, LAST.model_copy(update={"state": [PAST]})], "neither state nor segments"),
        ([OUT, LAST.model_copy(update={"inputs": [SEVERAL]})], "neither state nor segments"),
    ],
)
def test_what_would_be_missed_later_is_refused(stages: List[StageSpec], why: str) -> None:
    with pytest.raises(BundleError, match=why):
        plan_stages(stages)


def test_rules_must_be_those_of_the_exits() -> None:
    good = ExitRecord(rules=[ExitRule(stage="out", confidence=0.8)])
    document = manifest(STAGES).model_dump()
    assert Manifest.model_validate({**document, "exits": good.model_dump()}).exits == good
    with pytest.raises(ValidationError, match="exits: rules of"):
        Manifest.model_validate({**document, "exits": {"rules": [{"stage": "fuse"}]}})


def test_a_choice_overrides_the_bundle() -> None:
    record = ExitRecord(rules=[ExitRule(stage="out", confidence=0.8)])
    assert exit_rules(STAGES, record, "auto") == tuple(record.rules)
    assert exit_rules(STAGES, record, "off") == ()
    assert exit_rules(STAGES, record, 0.5) == (ExitRule(stage="out", confidence=0.5),)
    assert exit_rules(STAGES, None, 0.5) == (ExitRule(stage="out", confidence=0.5),)
    assert exit_rules(STAGES, None, "auto") == ()  # not chosen: never sure
    with pytest.raises(ConfigError, match="no exits"):
        exit_rules([MOTION, FUSE], None, 0.5)
    for wrong in (1.5, float("nan"), "of", None):
        with pytest.raises(ConfigError, match="from 0 to 1"):
            exit_rules(STAGES, None, wrong)  # type: ignore[arg-type]
