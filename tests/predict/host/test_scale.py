"""The host's part of a prediction, on devices and costs that are made up."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.sampling import OneOfEvery
from edgecvar.clips.spec import CHANNELS, InputSpec
from edgecvar.predict.host.cost import PARTS, Reference, Wanted, load_reference
from edgecvar.predict.host.counts import CAMERAS, StreamCounts
from edgecvar.predict.host.scale import Host, host_part, host_rate, host_time, on_cores, rates
from edgecvar.predict.prediction import HostTime, Interval

SPEC = InputSpec(height=100, width=100, crop=1.0, squash=True)
CAMERA = CAMERAS["720p camera"]
HOST = Host(4, 0.5, None)
PICTURES = Reference(
    processor="",
    how="",
    nanoseconds={part: {"picture": 1e6} for part in PARTS},
    errors=dict.fromkeys(PARTS, 1.0),
)
"""A millisecond for each part, whatever is in it."""


def stages(*sources: str, adjacent: bool = False):
    inputs = [
        StageInput(
            name=source,
            source=source,
            gop="adjacent" if adjacent and source == "image" else "current",
            shape=[CHANNELS[source], 100, 100],
        )
        for source in sources
    ]
    return [StageSpec(name="all", cadence="picture", inputs=inputs, output_shape=[2])]


def took(sources, every=1, host=HOST, spec=SPEC, counts=CAMERA, adjacent=False):
    return host_time(counts, spec, stages(*sources, adjacent=adjacent), every, host, PICTURES)


def test_every_part_is_taken_as_often_as_a_run_takes_it():
    time = took(("image", "motion"), every=5)
    assert time.read.likely == pytest.approx(2 * (1 + 1 / 5))  # half the reference's speed; a fifth is parsed
    assert time.prepare.likely == pytest.approx(2 / 5)
    assert time.image.likely == pytest.approx(2 * 2 / 50)  # decoded and scaled
    assert (time.decoder, time.cores) == ("software", 4)


def test_tracing_parses_every_picture():
    plain, traced = took(("motion",), 5), took(("motion",), 5, spec=SPEC.model_copy(update={"accumulate": True}))
    assert traced.read.likely == pytest.approx(2 * (1 + 2 * 49 / 50))
    assert traced.prepare == plain.prepare
    assert (traced.decoder, traced.image.likely) == ("none", 0)


def test_frames_are_all_decoded_but_scaled_where_they_are_sampled():
    time = took(("frame",), 5)
    assert time.read.likely == pytest.approx(2 * (1 + 1 / 5 + 1))
    assert time.prepare.likely == pytest.approx(2 * 2 / 5)


def test_a_decoder_in_hardware_leaves_the_scaling():
    host = dataclasses.replace(HOST, decoder_pixels_per_second=1e8)
    software, hardware = took(("image",), 5), took(("image",), 5, host)
    assert hardware.decoder == "hardware"
    assert hardware.image.likely == pytest.approx(CAMERA.pixels / 1e8 * 1e3 / 50)
    assert hardware.image.high > hardware.image.likely == hardware.image.low
    assert hardware.prepare.likely == pytest.approx(software.prepare.likely + software.image.likely / 2)
    assert on_cores(hardware).likely == pytest.approx(hardware.read.likely + hardware.prepare.likely)


@pytest.mark.parametrize("every", [1, 2, 3, 7, 12])
@pytest.mark.parametrize(
    ("gop", "b_pictures", "sampled"),
    [(12, 0, "all"), (12, 2, "all"), (50, 0, "all"), (60, 1, "all"), (12, 2, "p"), (60, 2, "b")],
)
def test_pictures_parsed_are_those_that_a_run_parses(every, gop, b_pictures, sampled):
    """Picks are the run's own; a B-picture has the P-picture parsed that is displayed after it, if there is one."""
    display = range(200 * gop)
    kind_of = ["I" if at % gop == 0 else "P" if at % gop % (b_pictures + 1) == 0 else "B" for at in display]
    picker = OneOfEvery(every)
    spec = SPEC.model_copy(update={"pictures": sampled})
    picked = [at for at in display if picker.push(at, kind_of[at], kind_of[at] in spec.kinds)]
    parsed = set(picked)
    for at in picked:
        while kind_of[at] == "B":
            at += 1
            if at == len(kind_of):
                break
        else:
            parsed.add(at)
    happened = Counter(kind_of[at] for at in parsed)
    pictures = Counter(kind_of)
    counts = StreamCounts("made", 640, 480, 25.0, pictures, dict.fromkeys("IPB", 1.0), 0, 0, 0, True)
    said = rates(counts, Wanted(spec, frozenset(("motion",))), every, False)
    assert said.sampled == pytest.approx(len(picked) / len(display), rel=0.03 if sampled == "all" else 0.2)
    # Of two pictures in a row not both are as often picked as picks by chance would be.
    assert said.parsed["P"] == pytest.approx(happened["P"] / len(display), rel=0.25)
    assert said.parsed["B"] == pytest.approx(happened["B"] / len(display), rel=0.15)


def test_few_samples_want_few_i_pictures():
    wanted = Wanted(SPEC, frozenset(("image", "motion")))
    assert rates(CAMERA, wanted, 10, False).images == pytest.approx(1 / 50)
    assert rates(CAMERA, wanted, 200, False).images == pytest.approx(1 / 200)
    assert rates(CAMERA, wanted, 200, True).images == pytest.approx(2 / 200)


def test_a_faster_core_takes_less_and_every_bound_with_it():
    slow, fast = took(("image", "residual")), took(("image", "residual"), host=Host(4, 1.0, None))
    for name in ("read", "prepare", "image"):
        one, other = getattr(slow, name), getattr(fast, name)
        assert 0 < other.low < other.likely < other.high
        assert [getattr(one, bound) / getattr(other, bound) for bound in ("low", "likely", "high")] == [2.0, 2.0, 2.0]


def test_what_did_not_fit_makes_the_interval_wider():
    loose = PICTURES.model_copy(update={"errors": dict.fromkeys(PARTS, 2.0)})
    wide, narrow = (host_time(CAMERA, SPEC, stages("motion"), 1, HOST, each).read for each in (loose, PICTURES))
    assert wide.low < narrow.low < narrow.likely == wide.likely < narrow.high < wide.high


def test_a_host_that_was_measured_relies_on_no_score():
    here = took(("image", "motion"), host=dataclasses.replace(HOST, measured=True))
    assert here.read.low == here.read.likely == here.read.high == took(("image", "motion")).read.likely
    assert here.image.low == pytest.approx(here.image.high)


def exactly(ms: float) -> Interval:
    return Interval(low=ms, likely=ms, high=ms)


def test_cameras_share_cores_and_a_stream_has_one_thread_to_be_read_by():
    time = HostTime(read=exactly(3), prepare=exactly(2), image=exactly(1), decoder="software", cores=4)
    assert on_cores(time).likely == pytest.approx(6)
    assert host_rate(time, 1).likely == pytest.approx(1000 / 5)
    assert host_rate(time, 2).likely == pytest.approx(2 * 1000 / 5)
    assert host_rate(time, 100).likely == pytest.approx(4 * 1000 / 6)
    hardware = time.model_copy(update={"decoder": "hardware"})
    assert on_cores(hardware).likely == pytest.approx(5)
    assert host_rate(hardware, 100).likely == pytest.approx(4 * 1000 / 5)
    assert host_rate(hardware.model_copy(update={"image": exactly(8)}), 100).likely == pytest.approx(1000 / 8)


def test_the_slowest_host_has_the_lowest_rate():
    time = took(("image", "motion"), 5)
    rate = host_rate(time, 8)
    assert 0 < rate.low < rate.likely < rate.high


@pytest.mark.parametrize("wrong", [(0, 1.0, None), (4, 0.0, None), (4, float("inf"), None), (4, 1.0, 0.0)])
def test_a_host_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        Host(*wrong)


def test_the_core_that_comes_with_the_package_knows_all_parts():
    reference = load_reference()
    assert set(reference.nanoseconds) == set(reference.errors) == set(PARTS)
    assert all(cost >= 0 for costs in reference.nanoseconds.values() for cost in costs.values())
    assert all(1 <= error < 2.5 for error in reference.errors.values())
    assert reference.processor and reference.how and reference.mips > 0


def test_cameras_of_more_pixels_take_more_of_a_core():
    one = [
        on_cores(host_time(each, SPEC, stages("image", "motion", "residual"), 2, HOST)).likely
        for each in CAMERAS.values()
    ]
    assert one == sorted(one)
    assert 0 < one[0] < one[-1] < 1000 / 25


@pytest.mark.parametrize(
    "read, prepare, image, decoder, streams, part",
    [
        (3, 2, 4, "software", 1, "read"),  # 5 ms on the reader's thread; I-pictures beside it have a second of theirs
        (2, 3, 4, "software", 1, "prepare"),
        (3, 2, 6, "software", 1, "image"),
        (3, 2, 4, "software", 64, "image"),  # all share four cores, where the longest counts
        (3, 2, 1, "hardware", 1, "read"),
        (3, 2, 1, "hardware", 64, "read"),  # 5 / 4 ms on the cores
        (3, 2, 2, "hardware", 64, "image"),
    ],
)
def test_the_part_that_bounds_is_one_whose_end_would_help(read, prepare, image, decoder, streams, part):
    def rate(**changes):
        parts = {"read": read, "prepare": prepare, "image": image, **changes}
        exact = {name: Interval(low=ms, likely=ms, high=ms) for name, ms in parts.items()}
        return HostTime(**exact, decoder=decoder, cores=4)

    time = rate()
    assert host_part(time, streams) == part
    assert host_rate(rate(**{part: 0}), streams).likely > host_rate(time, streams).likely
