"""When a run may leave a network early: how sure each exit must be, and what that was chosen on.

Exits are the stages that are called so (`StageSpec.exit`), in order; the last stage is where a run ends that no exit
was sure enough for. Everything behind the exit that a picture leaves at is not computed for it, and the network of an
I-picture not at all where no picture needed it.
"""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, Sequence, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.stages import StageSpec, clip_segments, has_state
from edgecvar.errors import BundleError, ConfigError

ExitChoice = Union[Literal["auto", "off"], float]
"""As the bundle says, never, or at this confidence of every exit."""


class ExitRule(BaseModel):
    """An exit's scores are the last word where their softmax reaches `confidence`; with 1 it is never sure.

    A decision is made of scores of several pictures, which may have left at different exits. They are taken as they
    are: exits that learn from each other are on one scale, and a temperature for each, found on labelled clips, lost
    more than it won (on synth it saved 45 % where 61 % are saved without, at no better accuracy).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    confidence: float = Field(default=1.0, ge=0, le=1)


class ExitShares(BaseModel):
    """Where pictures left: of the sampled `pictures`, so many `left` at each stage, the last one among them.

    `saved`: the part of the multiply-adds that was not computed, of what the network takes that leaves nowhere early.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int = Field(ge=0)
    left: Dict[str, int]
    saved: float = Field(le=1)


class ExitTrial(ExitShares):
    """What the rules came to on the labelled clips that they were chosen on.

    `top1`: of clips, with exits, and `top1_whole` without. `max_drop`: the points of accuracy that might be lost.
    """

    data: str
    clips: int = Field(ge=1)
    top1: float = Field(ge=0, le=1)
    top1_whole: float = Field(ge=0, le=1)
    max_drop: float = Field(ge=0, le=100)


class ExitRecord(BaseModel):
    """The rule of every exit, and the trial that they come from where there was one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: List[ExitRule] = Field(min_length=1)
    trial: Optional[ExitTrial] = None


def exits_of(stages: Sequence[StageSpec]) -> List[str]:
    """The exits' names in their order."""
    return [stage.name for stage in stages if stage.exit]


def check_exits(stages: Sequence[StageSpec]) -> None:
    """Raises BundleError where a stage cannot be an exit, or what is left out would be missed later."""
    exits = [stage for stage in stages if stage.exit]
    if not exits:
        return
    last = stages[-1]
    for stage in exits:
        if stage is last:
            raise BundleError(f"stage {stage.name}: the last stage is no exit; there is nothing behind it to leave out")
        if stage.cadence != "picture" or stage.output_shape != last.output_shape:
            raise BundleError(
                f"stage {stage.name}: an exit gives the class scores of a sampled picture, {last.output_shape}; got "
                f"{stage.output_shape} once a {stage.cadence}"
            )
    if last.cadence != "picture":
        raise BundleError(f"stage {last.name}: runs once a window, and pictures that leave earlier have none")
    if has_state(stages) or clip_segments(stages) > 1:
        raise BundleError(
            f"stage {exits[0].name}: an exit leaves later stages out, and a network that remembers would miss them; "
            "exits go with stages that have neither state nor segments"
        )


def exit_rules(stages: Sequence[StageSpec], record: Optional[ExitRecord], choice: ExitChoice) -> Tuple[ExitRule, ...]:
    """Those of the exits that may be sure; raises ConfigError for another choice, or a confidence without exits."""
    names = exits_of(stages)
    if choice == "off":
        return ()
    known = {rule.stage: rule for rule in record.rules} if record is not None else {}
    if choice == "auto":
        rules = [known.get(name, ExitRule(stage=name)) for name in names]
    else:
        if not isinstance(choice, (int, float)) or not 0 <= choice <= 1:
            raise ConfigError(f"exits={choice!r}: expected auto, off, or a confidence from 0 to 1")
        if not names:
            raise ConfigError(
                f"exits={choice:g}: this bundle's network has no exits; leave it out, or train one with "
                "network.exits=true (attp, coviar)"
            )
        rules = [
            known.get(name, ExitRule(stage=name)).model_copy(update={"confidence": float(choice)}) for name in names
        ]
    return tuple(rule for rule in rules if rule.confidence < 1)
