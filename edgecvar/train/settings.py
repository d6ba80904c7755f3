"""What stands under one key of a recipe: its optimizer, its split, how it is tested."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Settings(BaseModel):
    """A part of a recipe; where `name` is all that is set, it may be given as that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) and "name" in cls.model_fields else value


class SamplingSettings(Settings):
    """Which pictures of a clip are its segments: one of each of so many equal parts (TSN), or of `span` in a row.

    Dense ones are at equal steps of that span, which begins anywhere in training and in the middle in validation. Of
    what has fewer pictures they are all, `short`: at smaller steps ("slower"), or at the same and then over and over
    ("again").
    With "stream" they are what a run samples, so many in a row at most: what a network learns from that remembers. Of
    a clip that breaks they are those of its longest part; a test looks at all of them, one by one as a run does.
    Validation begins with the clip, training anywhere in its first part `late`, or where as many follow.
    """

    name: Literal["segments", "dense", "stream"] = "segments"
    span: int = Field(64, ge=2, le=4096)
    short: Literal["slower", "again"] = "slower"
    late: float = Field(0.2, ge=0, lt=1)


class OptimizerSettings(Settings):
    """AdamW, Adam, which adds the weight decay to the gradient (L2), or SGD with `momentum`, perhaps Nesterov's.

    `eps`: what Adam's and AdamW's divisor is at least. `decay_scales`: what normalisation scales by decays too, as in
    the released code of CoViAR and DMC-Net; biases never do.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    eps: float = Field(1e-8, gt=0, le=1)
    decay_scales: bool = False

    @model_validator(mode="after")
    def _has_what_is_set(self) -> OptimizerSettings:
        foreign = ("eps",) if self.name == "sgd" else ("momentum", "nesterov")
        for key in foreign:
            # A resolved recipe states the defaults of all.
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{self.name} has no {key}; leave it out")
        return self


class ScheduleSettings(Settings):
    """Half a cosine down to zero, or the rate times `gamma` after each of the `milestones` (epochs).

    Or, with "plateau", whenever the total training loss has not fallen for `patience` epochs in a row.
    """

    name: Literal["cosine", "steps", "plateau"] = "cosine"
    milestones: List[float] = Field(default_factory=list)
    patience: int = Field(5, ge=1)
    gamma: float = Field(0.1, gt=0, le=1)

    @field_validator("milestones")
    @classmethod
    def _rising(cls, milestones: List[float]) -> List[float]:
        if milestones != sorted(set(milestones)) or (milestones and milestones[0] <= 0):
            raise ValueError(f"got {milestones}, expected rising epochs above 0")
        return milestones


class Phase(Settings):
    """A stretch of epochs. `losses`: names and weights, the recipe's unless given.

    `epochs`: its length; the last phase has none and lasts to the run's end. `train`: the parts of the network that
    learn, by the beginnings of their parameters' names; the others stand still, batch norm's statistics included.
    `restart`: optimisers and schedule begin anew, as in a run of its own. `reconstruct_at`: the losses reconstruction
    and discriminator see optical flow in means of so many input pixels, across as down (16: DMC's flow_ds_factor).
    """

    epochs: Optional[int] = Field(None, ge=1)
    losses: Optional[Dict[str, float]] = None
    train: Optional[List[str]] = None
    restart: bool = False
    reconstruct_at: int = Field(1, ge=1, le=64)


class FlowSettings(Settings):
    """Optical flow for losses that learn from it, computed once and kept on disk.

    `method`: DIS, with its `preset`, or TV-L1, for which OpenCV's contrib package is needed. It is computed on
    pictures whose short side is at most `side` pixels and kept as means of `cell` x `cell` of these.
    `cache`: the folder; .flow beside the clips unless given.
    """

    method: Literal["dis", "tvl1"] = "dis"
    preset: Literal["ultrafast", "fast", "medium"] = "medium"
    side: int = Field(256, ge=32, le=2160)
    cell: Literal[1, 2, 4, 8] = 2
    cache: Optional[str] = None


class SplitSettings(Settings):
    """Official lists of a data set, read as published; the recipe's `data` is then the folder of its videos.

    `format`: ucf101 (classInd.txt, trainlistNN.txt, testlistNN.txt), hmdb51 (<class>_test_splitN.txt), kinetics
    (train.csv and val.csv or validate.csv) or something (labels, train and validation, CSV of V1 or JSON of V2).
    `files`: the folder that holds them. `number`: which of the splits. `missing`: what a listed clip that is not
    there means.
    """

    format: Literal["ucf101", "hmdb51", "kinetics", "something"]
    files: str
    number: int = Field(1, ge=1, le=3)
    missing: Literal["error", "skip"] = "error"


class StreamProtocol(Settings):
    """What is another for one stream than for all, as of TestProtocol."""

    segments: Optional[int] = Field(None, ge=1, le=256)
    span: Optional[int] = Field(None, ge=2, le=4096)
    clips: Optional[int] = Field(None, ge=1, le=64)
    crops: Optional[Literal[1, 3, 5]] = None
    flip: Optional[bool] = None


class TestProtocol(Settings):
    """How often a clip is looked at in a test; all the scores are averaged.

    `segments`: sampled pictures, those of validation unless given; `span`: of so many in a row, sampling's unless
    given, where it is dense; `clips`: how often, at other pictures each time.
    `crops`: the centre; with left and right; or with the four corners. `flip`: each also mirrored.
    `streams`: by the name of a stream of a late fusion, what is another for it; each stream's scores are averaged over
    its own views, then fused with the network's weights.
    """

    __test__ = False

    segments: Optional[int] = Field(None, ge=1, le=256)
    span: Optional[int] = Field(None, ge=2, le=4096)
    clips: int = Field(1, ge=1, le=64)
    crops: Literal[1, 3, 5] = 1
    flip: bool = False
    streams: Dict[str, StreamProtocol] = Field(default_factory=dict)

    def of(self, stream: str) -> TestProtocol:
        """That of one stream."""
        own = self.streams.get(stream)
        changes = {} if own is None else own.model_dump(exclude_none=True)
        return self.model_copy(update={**changes, "streams": {}})
