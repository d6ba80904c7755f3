"""How a network is described to whoever walks it: stages, their tensors and cadences."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Literal, Optional, Sequence, Set

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

RANK = 7
"""Dimensions of a tensor at most, without its batch: TensorRT takes one more."""
LARGEST = 1 << 24
"""Of a dimension."""


class StageInput(BaseModel):
    """One input tensor of a stage.

    `source` is a prepared input or the stage whose output it takes. `gop` says whose: "current" is the window of
    the sampled picture; "adjacent" the window after it for the first window of a stream and before it for the
    others (Huo et al. 2020, section 3.4). With `segments` T the tensor is what the newest T sampled pictures of the
    stream have of that source, in display order, each an image or window's output of its own window: shape [T, *shape
    of the source]. Until there are T the first of them stands in for those missing. `shape` leaves out the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    gop: Literal["current", "adjacent"] = "current"
    segments: Optional[int] = Field(default=None, ge=1, le=256)
    shape: List[int] = Field(max_length=RANK)

    @field_validator("shape")
    @classmethod
    def _sizes(cls, shape: List[int]) -> List[int]:
        return _positive(shape)


class StageState(BaseModel):
    """A tensor that a stage hands to itself from one sampled picture to the next, in display order.

    It goes in under its `name` and comes out under `next_name`, and is zero at the start of a stream and after a break.
    `shape` leaves out the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shape: List[int] = Field(max_length=RANK)

    @property
    def next_name(self) -> str:
        """The output that is the next call's input."""
        return f"{self.name}_next"

    @field_validator("shape")
    @classmethod
    def _sizes(cls, shape: List[int]) -> List[int]:
        return _positive(shape)


class StageSpec(BaseModel):
    """One stage: runs once a window ("gop") or once a sampled picture ("picture"), and has one output.

    The stage named last in a network gives the class scores, shape [classes]. A stage with `state` sees the sampled
    pictures in display order, and all that came before each through its state. An `exit` gives class scores too, and
    where they are sure enough a run may leave out the stages behind it (`bundle/exits.py`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cadence: Literal["gop", "picture"]
    inputs: List[StageInput] = Field(min_length=1)
    output_shape: List[int] = Field(max_length=RANK)
    state: List[StageState] = Field(default_factory=list)
    exit: bool = False

    @field_validator("output_shape")
    @classmethod
    def _sizes(cls, shape: List[int]) -> List[int]:
        return _positive(shape)

    @model_validator(mode="after")
    def _state_is_its_own(self) -> StageSpec:
        taken = {self.name, *(each.name for each in self.inputs)}
        for each in self.state:
            if taken & {each.name, each.next_name}:
                raise ValueError(f"stage {self.name}: state {each.name!r} is called as another of its tensors")
            taken |= {each.name, each.next_name}
        if self.state and self.cadence == "gop":
            raise ValueError(f"stage {self.name}: runs once a window, and only sampled pictures hand on a state")
        return self

    @property
    def takes(self) -> Dict[str, List[int]]:
        """Shapes, without the batch, of what one call is given: inputs, then state."""
        state = {each.name: each.shape for each in self.state}
        return {**{each.name: each.shape for each in self.inputs}, **state}

    @property
    def gives(self) -> Dict[str, List[int]]:
        """Shapes, without the batch, of what one call gives: the output, called as the stage, then the next state."""
        return {self.name: self.output_shape, **{each.next_name: each.shape for each in self.state}}


def prepared_sources(stages: Sequence[StageSpec]) -> FrozenSet[str]:
    """The prepared inputs that the stages take; an earlier stage hides one of its name."""
    sources: Set[str] = set()
    earlier: Set[str] = set()
    for stage in stages:
        sources |= {tensor.source for tensor in stage.inputs} - earlier
        earlier.add(stage.name)
    return frozenset(sources)


def takes_frames(stages: Sequence[StageSpec]) -> bool:
    """Whether a stage looks at decoded frames: a stream must then be opened with them."""
    return "frame" in prepared_sources(stages)


def clip_segments(stages: Sequence[StageSpec]) -> int:
    """How many sampled pictures a network looks at together: the most that an input of a stage takes, or 1."""
    return max([1, *(tensor.segments or 1 for stage in stages for tensor in stage.inputs)])


def has_state(stages: Sequence[StageSpec]) -> bool:
    """Whether a network remembers: what it makes of a picture depends on all the sampled ones before it."""
    return any(stage.state for stage in stages)


def _positive(shape: List[int]) -> List[int]:
    if not all(1 <= size <= LARGEST for size in shape):
        raise ValueError(f"every size must lie between 1 and {LARGEST}")
    return shape
