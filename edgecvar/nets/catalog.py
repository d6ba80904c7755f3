"""The networks by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Tuple, Type

import torch
from pydantic import BaseModel, ValidationError

from edgecvar.clips.spec import InputSpec
from edgecvar.config import mistake
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.attp import Attp, AttpOptions
from edgecvar.nets.cmr import Cmr, CmrOptions
from edgecvar.nets.cost.figures import Figure
from edgecvar.nets.coviar import Coviar, CoviarOptions
from edgecvar.nets.dmc import Dmc, DmcOptions
from edgecvar.nets.meaci import Meaci, MeaciOptions
from edgecvar.nets.motion import Motion, MotionOptions
from edgecvar.nets.movinet import Movinet, StreamOptions
from edgecvar.nets.network import Network
from edgecvar.nets.team import Team, TeamOptions, TeamR50Options
from edgecvar.nets.temporal import remembering
from edgecvar.nets.tsn import Tsn, TsnOptions


@dataclass(frozen=True)
class Entry:
    """A network's options and how to build it from them, an InputSpec and a number of classes.

    `paper`: authors and year. `input`, `classes`: what the paper's figures are counted at, beside InputSpec's
    defaults. `figures`: what the paper prints of its cost. `verified`: what the tests hold, a few words each.
    `any_length`: one that looks at clips can be tested on others than it is trained and compiled for.
    """

    options: Type[BaseModel]
    build: Callable[[Any, InputSpec, int], Network]
    paper: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 51
    figures: Tuple[Figure, ...] = ()
    verified: Tuple[str, ...] = ()
    any_length: bool = False


SQUARE_224 = {"height": 224, "width": 224, "crop": 0.875}
"""Pictures of 340 x 256, cropped to 224 x 224."""

MEACI_FIGURES = (
    Figure("MEACI-Net, 1 clip", "multiply_adds", 89e9, "table 1", tolerance=0.05),
    Figure("B1", "parameters", 27.5e6, "table 3", part="motion", options={"motion": "b1"}, tolerance=0.05),
    Figure(
        "B1+MSB*",
        "parameters",
        15.3e6,
        "table 3",
        part="motion",
        options={"motion": "b1+msb*", "first_kernels": "1x1x1"},
        tolerance=0.05,
    ),
    Figure(
        "B1+MSB",
        "parameters",
        15.3e6,
        "table 3",
        part="motion",
        options={"motion": "b1+msb", "first_kernels": "1x1x1"},
        tolerance=0.05,
    ),
    Figure(
        "B1+DM",
        "parameters",
        28.4e6,
        "table 3",
        part="motion",
        options={"motion": "b1+dm"},
        tolerance=0.05,
        note="0.9 M are no 3 x 3 convolution (eq. 2) on all C channels of each block, which has 11.3 M",
    ),
    Figure(
        "CME",
        "parameters",
        23.2e6,
        "table 3",
        part="motion",
        tolerance=0.05,
        note="7.9 M over B1+MSB are no three 3 x 3 convolutions (eq. 2) on C / 4, 2.1 M, when one on C is 0.9 M",
    ),
)
"""With 101 classes and 5 channels; what cannot be met is explained in edgecvar.nets.meaci."""

MOVINET_FIGURES = (
    Figure(
        "A0-Stream, a picture of 50",
        "multiply_adds",
        2.71e9 / 50,
        "Kinetics 600, 172 x 172",
        options={"inputs": "frames"},
        note="the paper's convolutions are over space and time at once; those of the released streams are (2+1)D",
    ),
    Figure(
        "A0",
        "parameters",
        3.1e6,
        "Kinetics 600",
        options={"inputs": "frames"},
        note="the paper's gates see the average alone, 0.7 M less; those of the released streams the picture too",
    ),
)
"""Of A0 on 600 classes; counted by hand in the paper's form they are 2.74 G with a head a picture, and 3.11 M."""


def _reduced(by: int, multiply_adds: float, note: str = "") -> Figure:
    options = {"r1": by, "r2": by}
    return Figure(f"r_1 = r_2 = {by}", "multiply_adds", multiply_adds, "table 3", options=options, note=note)


ON_MAPS = "of the means that eq. 2 and 3 read, W_1 and W_2 make 0.4 G at most; on the maps themselves, 24.8 G each at 1"

CMR_FIGURES = (
    Figure("CMR, 8 frames", "multiply_adds", 33e9, "table 1", tolerance=0.05),
    Figure("CMR, 16 frames", "multiply_adds", 66e9, "table 1", options={"segments": 16}, tolerance=0.05),
    _reduced(1, 55e9, ON_MAPS),
    _reduced(4, 39e9, ON_MAPS),
    _reduced(8, 33e9),
    _reduced(16, 32e9),
)
"""With 174 classes; what cannot be met is explained in edgecvar.nets.cmr."""

NETWORKS: Dict[str, Entry] = {
    "attp": Entry(
        AttpOptions,
        remembering(Attp),
        paper="Huo et al. 2020",
        figures=(
            Figure("ATTP", "parameters", 23.4e6, "table 2", tolerance=0.01),
            Figure("ATTP", "multiply_adds", 3.0e9, "table 2"),
        ),
        verified=("eq. 4 to 7",),
    ),
    "team": Entry(
        TeamOptions,
        remembering(Team),
        paper="Wang et al. 2021",
        input={**SQUARE_224, "accumulate": True},
        verified=("eq. 1 to 7", "arrangements of table 3", "places of table 4"),
    ),
    "team-r50": Entry(
        TeamR50Options,
        Team,
        paper="Wang et al. 2021",
        input={**SQUARE_224, "accumulate": True},
        verified=("eq. 1 to 7", "feature sizes of appendix A", "temporal shift by hand"),
    ),
    "dmc": Entry(
        DmcOptions,
        Dmc,
        paper="Shou et al. 2019",
        input=SQUARE_224,
        figures=(
            Figure("DMC generator", "multiply_adds", 0.23e9, "table 1", part="generator", tolerance=0.01),
            Figure("ResNet-18", "multiply_adds", 1.78e9, "table 1", part="classifier"),
            Figure("ResNet-152", "multiply_adds", 11.3e9, "table 1", part="appearance"),
        ),
        verified=("eq. 1 to 4", "channels of table 2"),
        any_length=True,
    ),
    "coviar": Entry(
        CoviarOptions,
        Coviar,
        paper="Wu et al. 2018",
        input={**SQUARE_224, "accumulate": True},
        classes=1000,
        figures=(
            Figure("CoViAR", "parameters", 83.6e6, "Huo et al. 2020, table 2", tolerance=0.001),
            Figure("CoViAR", "multiply_adds", 14.9e9, "Huo et al. 2020, table 2"),
        ),
        verified=("weights of the fusion", "streams learn apart", "ResNet by its fig. 5"),
    ),
    "motion": Entry(
        MotionOptions,
        Motion,
        paper="after Bai et al. 2018",
        input={"height": 48, "width": 64, "crop": 1.0, "squash": True, "stride": 2, "velocity_per": "second"},
        verified=("a stream is its clip", "nothing looks ahead"),
    ),
    "movinet": Entry(
        StreamOptions,
        Movinet,
        paper="Kondratyuk et al. 2021",
        input={"height": 172, "width": 172, "crop": 0.875},
        classes=600,
        figures=MOVINET_FIGURES,
        verified=("a stream is its clip", "nothing looks ahead"),
    ),
    "tsn": Entry(
        TsnOptions,
        remembering(Tsn),
        paper="Wang et al. 2016",
        input=SQUARE_224,
        verified=("consensus of segments", "ResNet by its fig. 5", "TSM by hand"),
    ),
    "meaci": Entry(
        MeaciOptions,
        Meaci,
        paper="Li et al. 2022",
        input={**SQUARE_224, "accumulate": True},
        classes=101,
        figures=MEACI_FIGURES,
        verified=("eq. 1 to 5", "channels of tables A and B", "cross attention"),
    ),
    "cmr": Entry(
        CmrOptions,
        Cmr,
        paper="Wu et al. 2021",
        input=SQUARE_224,
        classes=174,
        figures=CMR_FIGURES,
        verified=("eq. 1 to 8", "temporal interaction by hand"),
    ),
}


def find_entry(model: str) -> Entry:
    """The entry of `model`; raises ConfigError naming the nearest known name."""
    if model not in NETWORKS:
        raise unknown_name("model", model, NETWORKS)
    return NETWORKS[model]


def network_options(model: str, options: Mapping[str, Any]) -> BaseModel:
    """The options of `model`, defaults filled in; raises ConfigError naming the nearest known name or key."""
    kind = find_entry(model).options
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        raise ConfigError(f"options of {model}: {mistake(error, kind)}") from error


def network_outline(model: str, options: Mapping[str, Any], spec: InputSpec) -> Network:
    """The network with one class and no numbers in it; raises ConfigError as `build_network` does."""
    with torch.device("meta"):
        return build_network(model, options, spec, 1)


def build_network(model: str, options: Mapping[str, Any], spec: InputSpec, classes: int) -> Network:
    """A new network with random weights; raises ConfigError for an unknown model or option."""
    resolved = network_options(model, options)
    return NETWORKS[model].build(resolved, spec, classes)
