"""Each stream of a late fusion tested by its own protocol, against the same views taken by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch

from edgecvar.clips.labelled import Clip
from edgecvar.compile.subject import settle_norms
from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import build_network
from edgecvar.nets.dmc import Dmc
from edgecvar.train.checkpoint import Checkpoint
from edgecvar.train.data.reading import read_clip
from edgecvar.train.evaluate import clip_batches, score_checkpoint
from edgecvar.train.recipe import Recipe
from edgecvar.train.settings import TestProtocol
from edgecvar.train.start.checks import resolve

pytestmark = pytest.mark.train

SMALL = "{block: basic, repeats: [1, 1, 1, 1], width: 0.125}"
THREE = f"appearance: {SMALL}, motion: {SMALL}, residual: {SMALL}"
DMC = ("model=dmc", f"network={{{THREE}, classifier: {SMALL}}}", "losses={streams: 1}")
COVIAR = ("model=coviar", f"network={{{THREE}}}", "losses={streams: 1}")
CROP = "input={height: 32, width: 32, crop: 0.75, gop_length: 12, stride: 4}"
PAPERS = "test={segments: 3, crops: 5, flip: true, streams: {cue: {segments: 2, crops: 1, flip: false}}}"


def checkpoint_of(recipe: Recipe, clip: Path) -> Checkpoint:
    """Untrained, with batch norm's statistics of the clip and of noise: those of the start let nothing through."""
    design = recipe.network
    torch.manual_seed(0)
    network = build_network(design.model, design.options, design.input, 3)
    settle_norms(network, clip_batches(read_clip(clip, design.input), design.input, recipe.views)[0])
    labels = ["left", "right", "still"]
    return Checkpoint(design.model, design.options, design.input, labels, network.state_dict(), recipe.to_yaml())


def scores(checkpoint: Checkpoint, recipe: Recipe, clip: Path) -> Any:
    (found,) = score_checkpoint(checkpoint, recipe.views, recipe.machine, [Clip(clip, "left")])
    assert found.scores is not None
    return found.scores


def plainly(checkpoint: Checkpoint, recipe: Recipe, clip: Path, test: Dict[str, Any], stream: str) -> Any:
    """A stream's mean over the views of a test."""
    views = recipe.views.model_copy(update={"test": TestProtocol.model_validate(test)})
    network: Any = checkpoint.build()
    place = list(network.streams).index(stream)
    batches = clip_batches(read_clip(clip, checkpoint.input), checkpoint.input, views)
    with torch.no_grad():
        return np.mean([network.features(batch).streams[place].double().mean(0).numpy() for batch in batches], axis=0)


def test_each_stream_is_averaged_over_its_own_views(small: Callable[..., Recipe], moving: Path) -> None:
    """As Shou et al. 2019, 4.2, test: I, MV and R with crops and mirrored, the cue at the centre alone."""
    recipe, clip = resolve(small(*DMC, CROP, PAPERS)), moving / "left" / "clip_3.mp4"
    checkpoint = checkpoint_of(recipe, clip)
    many, one = {"segments": 3, "crops": 5, "flip": True}, {"segments": 2}
    each = [plainly(checkpoint, recipe, clip, many, name) for name in ("appearance", "motion", "residual")]
    each.append(plainly(checkpoint, recipe, clip, one, "cue"))
    expected = np.average(each, axis=0, weights=[2, 1, 1, 1])
    assert np.abs(scores(checkpoint, recipe, clip) - expected).max() < 1e-5
    each[-1] = plainly(checkpoint, recipe, clip, many, "cue")
    assert np.abs(expected - np.average(each, axis=0, weights=[2, 1, 1, 1])).max() > 1e-4  # the views do differ


def test_streams_of_one_protocol_are_the_whole(small: Callable[..., Recipe], moving: Path) -> None:
    plain = resolve(small(*COVIAR, CROP, "test={segments: 3, clips: 2, crops: 3}"))
    clip = moving / "left" / "clip_3.mp4"
    checkpoint = checkpoint_of(plain, clip)
    stated = small(*COVIAR, CROP, "test={streams: {appearance: {crops: 3}}, segments: 3, clips: 2, crops: 3}")
    assert np.abs(scores(checkpoint, plain, clip) - scores(checkpoint, stated, clip)).max() < 1e-6
    other = small(*COVIAR, CROP, "test={streams: {appearance: {crops: 1}}, segments: 3, clips: 2, crops: 3}")
    assert np.abs(scores(checkpoint, plain, clip) - scores(checkpoint, other, clip)).max() > 1e-5


def test_a_view_is_not_shown_to_streams_that_need_it_not(
    small: Callable[..., Recipe], moving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, clip = resolve(small(*DMC, CROP, PAPERS)), moving / "left" / "clip_3.mp4"
    checkpoint = checkpoint_of(recipe, clip)
    shown: List[str] = []
    alone = Dmc.stream_scores
    monkeypatch.setattr(Dmc, "stream_scores", lambda self, name, batch: shown.append(name) or alone(self, name, batch))
    scores(checkpoint, recipe, clip)
    assert {name: shown.count(name) for name in set(shown)} == {
        "appearance": 10,
        "motion": 10,
        "residual": 10,
        "cue": 1,
    }


@pytest.mark.parametrize(
    ("network", "test", "said"),
    [
        (DMC, "{streams: {cues: {crops: 1}}}", "unknown stream 'cues' of dmc in test.streams: did you mean 'cue'"),
        (COVIAR, "{streams: {cue: {crops: 1}}}", "unknown stream 'cue' of coviar in test.streams"),
        ((), "{streams: {motion: {crops: 1}}}", "attp fuses no streams late; set test alone"),
        (DMC, "{streams: {motion: {crops: 2}}}", r"test.streams.motion.crops: Input should be 1, 3 or 5"),
        (DMC, "{streams: {motion: {crop: 3}}}", "unknown key 'crop' in 'test.streams.motion': did you mean 'crops'"),
    ],
)
def test_a_test_that_no_stream_can_be_given_is_refused_before_training(
    small: Callable[..., Recipe], network: Any, test: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve(small(*network, f"test={test}"))


def test_what_the_sampling_cannot_give_a_stream_is_refused(small: Callable[..., Recipe]) -> None:
    with pytest.raises(ConfigError, match=r"test\.streams\.motion\.clips=2: with sampling=stream"):
        resolve(small(*COVIAR, "sampling=stream", "test={streams: {motion: {clips: 2}}}"))
    with pytest.raises(ConfigError, match=r"test\.clips=2: with sampling=stream"):
        resolve(small(*COVIAR, "sampling=stream", "test={clips: 2, streams: {motion: {clips: 1}}}"))
    with pytest.raises(ConfigError, match=r"test\.streams\.cue\.span is of sampling=dense, and this is segments"):
        small(*DMC, "test={streams: {cue: {span: 8}}}")


def test_a_stream_of_clips_has_a_length_and_a_span_of_its_own(small: Callable[..., Recipe], moving: Path) -> None:
    """Table 4's I3D looks at many pictures in a row, at the centre, once; I, MV and R at few, with their crops."""
    i3d = (*DMC, "network.i3d={repeats: [1, 1, 1, 1], width: 0.125}", "network.segments=4", "segments=4", CROP)
    dense = "sampling={name: dense, span: 8}"
    few = "test={segments: 2, span: 20, crops: 3, streams: {cue: {segments: 6, span: 8, crops: 1}}}"
    recipe, clip = resolve(small(*i3d, dense, few, "validation_segments=4")), moving / "right" / "clip_3.mp4"
    checkpoint = checkpoint_of(recipe, clip)
    of_cue, others = {"segments": 6, "span": 8}, {"segments": 2, "span": 20, "crops": 3}
    each = [plainly(checkpoint, recipe, clip, others, name) for name in ("appearance", "motion", "residual")]
    each.append(plainly(checkpoint, recipe, clip, of_cue, "cue"))
    expected = np.average(each, axis=0, weights=[2, 1, 1, 1])
    assert np.abs(scores(checkpoint, recipe, clip) - expected).max() < 1e-5


def test_a_checkpoint_is_asked_for_streams_that_it_has(small: Callable[..., Recipe], moving: Path) -> None:
    recipe, clip = resolve(small(*COVIAR, CROP)), moving / "left" / "clip_3.mp4"
    checkpoint = checkpoint_of(recipe, clip)
    asked = replace(recipe, views=small(*COVIAR, "test={streams: {cue: {crops: 5}}}").views)
    with pytest.raises(ConfigError, match="unknown stream 'cue' of coviar"):
        scores(checkpoint, asked, clip)
