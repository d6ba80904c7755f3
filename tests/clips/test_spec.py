"""What an input spec that says less, or other than before, means."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.spec import InputSpec
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip


def test_a_document_from_before_a_key_means_what_it_meant():
    old = {"height": 64, "width": 64, "velocity_unit": 2.0}
    spec = InputSpec.model_validate(old)
    assert (spec.velocity_limit, spec.motion_limit) == (None, 8.0)
    assert (spec.pictures, spec.kinds, spec.kinds_named) == ("all", "PB", "P or B")


def test_what_is_said_now_is_stated_and_read_again():
    spec = InputSpec(velocity_unit=9.04, velocity_limit=20, pictures="b")
    document = spec.model_dump(mode="json")
    assert (document["velocity_limit"], document["pictures"]) == (20.0, "b")
    assert InputSpec.model_validate(document) == spec
    assert spec.motion_limit == pytest.approx(20 / 9.04) and spec.kinds == "B"


@pytest.mark.parametrize("wrong", [{"velocity_limit": 0}, {"velocity_limit": float("inf")}, {"pictures": "i"}])
def test_what_is_no_value_is_refused(wrong):
    with pytest.raises(ValidationError):
        InputSpec(**wrong)


@pytest.mark.parametrize("accumulate", [False, True])
def test_a_run_cuts_what_it_shows_at_the_limit(tmp_path, accumulate):
    """2 pixels a picture, which accumulated grow up to 22: along x, beyond the limit somewhere."""
    path = moving_clip(tmp_path / "clip.mp4", 14)
    largest = {}
    for limit in (None, 1.5):
        spec = InputSpec(height=64, width=96, crop=1.0, velocity_unit=1.0, velocity_limit=limit, accumulate=accumulate)
        with open_stream(path, on_demand=True) as stream:
            messages = Feed(stream, spec, Demand(frozenset(("motion",)), False, 1), NoClock()).messages()
            motion = [each.inputs["motion"] for each in messages if isinstance(each, SampledPicture)]
        largest[limit] = float(np.abs(motion).max())
    assert largest[1.5] == 1.5 and (largest[None] == 8 if accumulate else 1.9 < largest[None] <= 8)
