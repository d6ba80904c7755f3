"""Stages as networks describe them: one that reads a prepared input, one tensor from a stage before it."""

from __future__ import annotations

from typing import List, Literal, Mapping, Optional, Sequence

from edgecvar.bundle.stages import StageInput, StageSpec, StageState
from edgecvar.clips.spec import InputSpec

MODALITIES = {"appearance": "image", "motion": "motion", "residual": "residual"}
"""The modalities of the papers, in the order of their equations, and the prepared input of each."""

TENSORS = {"image": "image", "motion": "velocity", "residual": "difference", "intra": "intra", "frame": "frame"}
"""What a prepared input's tensor is called: a stage's output has the stage's name, and no tensor may have the same."""

StateShapes = Mapping[str, Sequence[int]]
"""By name, of what a stage hands to itself."""


def prepared_input(source: str, spec: InputSpec, segments: Optional[int] = None) -> StageInput:
    """A prepared input, of one sampled picture or of the newest `segments`."""
    return StageInput(name=TENSORS[source], source=source, segments=segments, shape=_of(segments, spec.shape(source)))


def stage_output(
    stage: str, shape: Sequence[int], segments: Optional[int] = None, name: Optional[str] = None
) -> StageInput:
    """What an earlier stage gives, of one sampled picture or of the newest `segments`; called `name` if given."""
    return StageInput(name=name or stage, source=stage, segments=segments, shape=_of(segments, shape))


def opening(
    name: str, source: str, spec: InputSpec, shape: Sequence[int], state: Optional[StateShapes] = None
) -> StageSpec:
    """A stage of one prepared input: once a GOP where that is the I-picture, once a sampled picture else."""
    cadence: Literal["gop", "picture"] = "gop" if source == "image" else "picture"
    inputs = [prepared_input(source, spec)]
    return StageSpec(name=name, cadence=cadence, inputs=inputs, output_shape=list(shape), state=_states(state))


def joining(
    name: str, inputs: Sequence[StageInput], shape: Sequence[int], state: Optional[StateShapes] = None
) -> StageSpec:
    """A stage of several tensors, once a sampled picture."""
    return StageSpec(name=name, cadence="picture", inputs=list(inputs), output_shape=list(shape), state=_states(state))


def _states(shapes: Optional[StateShapes]) -> List[StageState]:
    return [StageState(name=name, shape=list(shape)) for name, shape in (shapes or {}).items()]


def _of(segments: Optional[int], shape: Sequence[int]) -> List[int]:
    return [*([] if segments is None else [segments]), *shape]
