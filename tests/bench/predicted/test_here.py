"""The rate where stages and reading share this machine's cores, by what must be done in the time of a picture."""

from __future__ import annotations

import pytest

from edgecvar.bench.predicted.here import _bottleneck, _rate
from edgecvar.predict.prediction import HostTime, Interval, StageTime


def exactly(ms):
    return Interval(low=ms, likely=ms, high=ms)


def host(read, image=0.0, cores=4):
    decoder = "software" if image else "none"
    return HostTime(read=exactly(read), prepare=exactly(0), image=exactly(image), decoder=decoder, cores=cores)


def test_what_takes_longest_of_a_picture_bounds_the_rate():
    sample = Interval(low=4, likely=6, high=12)
    assert _rate(sample, host(1), every=2, threads=1, streams=1) == sample.times(1 / 2).rate()
    assert _rate(sample, host(10), every=2, threads=1, streams=1).likely == pytest.approx(1000 / 10)
    assert _rate(sample, host(10), every=2, threads=1, streams=2).likely == pytest.approx(1000 / 5)


def test_images_are_decoded_beside_the_reading_where_there_are_cores():
    assert _rate(exactly(1), host(4, image=5), every=1, threads=1, streams=1).likely == pytest.approx(1000 / 5)
    assert _rate(exactly(1), host(4, image=5, cores=1), every=1, threads=1, streams=1).likely == pytest.approx(
        1000 / 10
    )


def test_an_engine_on_all_cores_leaves_none_to_read_with():
    assert _rate(exactly(6), host(4, cores=2), every=1, threads=2, streams=8).likely == pytest.approx(1000 / 8)


def test_the_bottleneck_is_what_bounds_that_many_streams():
    stages = [StageTime(stage="motion", cadence="picture", per_sample=1, ms=exactly(6), layers=[])]
    assert _bottleneck(stages, exactly(6), host(10), 1, 1) == "reading the stream"
    assert _bottleneck(stages, exactly(6), host(1, image=8), 1, 1) == "decoding I-pictures"
    assert _bottleneck(stages, exactly(6), host(10), 1, 4).startswith("the stage motion (100%")
