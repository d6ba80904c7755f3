"""Bundles on devices that are not here: bounds, cadences, hosts, remedies, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.errors import BundleError, EdgecvarError
from edgecvar.predict.engines import resized
from edgecvar.predict.fitted import fitted_model
from edgecvar.predict.hardware import predicted_devices
from edgecvar.predict.host.counts import CAMERAS
from edgecvar.predict.host.scale import host_rate
from edgecvar.predict.prediction import Interval
from edgecvar.predict.predictor import PredictConfig, case_of, predict, prediction_for_each
from edgecvar.predict.published.catalog import network
from tests.moving_clip import moving_clip
from tests.predict.heavy_bundle import DEPTH, heavy_bundle
from tests.tiny_bundle import replace_stage, tiny_bundle


@pytest.fixture(autouse=True)
def no_sessions(tmp_path, monkeypatch):
    """Nothing that was kept on this machine corrects a prediction."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    return heavy_bundle(tmp_path_factory.mktemp("heavy"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("tiny"))


def asked(bundle, device="tx2", **changes):
    return PredictConfig(device=device, bundle=bundle, **changes)


def ordered(interval: Interval) -> bool:
    return 0 <= interval.low <= interval.likely <= interval.high


@pytest.mark.parametrize("device", predicted_devices())
def test_bounds_are_in_order_and_figures_add_up(heavy, device):
    made = predict(asked(heavy, device))
    host = made.host
    intervals = [made.sample_ms, made.pictures_per_second, host.read, host.prepare, host.image]
    assert all(ordered(each) for each in (*intervals, *(stage.ms for stage in made.stages)))
    assert made.sample_ms.likely == pytest.approx(sum(each.ms.likely * each.per_sample for each in made.stages))
    low, high = fitted_model().of(device).spread
    assert made.sample_ms.high == pytest.approx(high * made.sample_ms.likely)
    # Side by side are the first two stages, of which vectors are behind every picture.
    motion, fuse = made.stages[1:]
    assert made.sample_ms.low == pytest.approx(low * (motion.ms.likely + fuse.ms.likely))
    assert made.pictures_per_second.likely == pytest.approx(
        min(2e3 / made.sample_ms.likely, host_rate(made.host, 1).likely)
    )
    assert (made.device, made.precision, made.bundle) == (device, "fp16", str(heavy))
    assert made.notes[0].startswith("a prediction, not a measurement")
    assert any("Thor" in note for note in made.notes) is (device == "thor")


def test_an_i_stage_is_shared_by_the_pictures_sampled_between(heavy):
    def shares(every):
        return {stage.stage: stage.per_sample for stage in predict(asked(heavy, every=every)).stages}

    assert shares(1) == {"appearance": 1 / 50, "motion": 1.0, "fuse": 1.0}
    assert shares(10)["appearance"] == 10 / 50
    assert shares(100) == {"appearance": 1.0, "motion": 1.0, "fuse": 1.0}


def test_the_slower_of_engine_and_host_bounds_and_is_named(heavy, tiny):
    engine, host = predict(asked(heavy, "nano")), predict(asked(tiny, "agx-orin"))
    assert engine.bottleneck.startswith("the stage motion (")
    assert engine.pictures_per_second.likely == pytest.approx(engine.stream.every * 1e3 / engine.sample_ms.likely)
    assert host.pictures_per_second == host_rate(host.host, 1)
    assert host.bottleneck in ("reading the stream", "preparing the inputs", "decoding I-pictures")
    slow = case_of(asked(tiny, "agx-orin"))
    reading = replace(slow, host=replace(slow.host, decoder_pixels_per_second=1e3))
    assert reading.bottleneck() == "decoding I-pictures"


def test_cameras_are_what_many_streams_have_together(heavy, tiny):
    for bundle, device in ((heavy, "tx2"), (tiny, "agx-orin")):
        one, many = (predict(asked(bundle, device, streams=count)) for count in (1, 64))
        assert one.cameras == many.cameras == pytest.approx(many.pictures_per_second.likely / 25)
        assert many.pictures_per_second.likely >= one.pictures_per_second.likely


@pytest.mark.parametrize("device, precision", [("nano", "fp32"), ("tx2", "fp16"), ("orin-nano", "fp32")])
def test_every_remedy_gives_what_a_prediction_with_it_says(heavy, device, precision):
    before = predict(asked(heavy, device, precision=precision, streams=3, source="1080p camera", every=1))
    case = case_of(asked(heavy, device, precision=precision, streams=3, source="1080p camera", every=1))
    found = before.remedies
    assert [each.gain for each in found] == sorted((each.gain for each in found), reverse=True)
    assert {"stride", "backbone", "size"} <= {each.kind for each in found}
    # What is bound by its launches gains by rows that share them.
    assert ("batch" in {each.kind for each in found}) is (device == "orin-nano")
    alone = {
        "sample one of 2 pictures (--every 2)": replace(case, every=2),
        "put the pictures of 3 streams through together (--together, build --max-batch 3)": replace(case, batch=3),
    }
    works = {work.spec.name: work for work in case.works}
    small = [replace(work, layers=resized(work.layers, 0.75)) for work in case.works]
    lite = [
        replace(works[name], layers=network("efficientnet_lite0", precision, (channels, 128, 128)))
        for name, channels in (("appearance", 3), ("motion", 2))
    ]
    alone["train on inputs of 96 x 96 in place of 128 x 128"] = replace(case, works=tuple(small))
    exchanged = "train with EfficientNet-Lite0 as the backbone of appearance, motion at 128 x 128"
    alone[exchanged] = replace(case, works=(*lite, works["fuse"]))
    for narrower in case.target.device.precisions[1:]:
        again = asked(heavy, device, precision=narrower, streams=3, source="1080p camera", every=1)
        alone[f"run in {narrower} (--precision {narrower})"] = case_of(again)
    said = {each.change: each for each in found}
    assert len(said) == len(found)
    assert set(said) <= set(alone)
    assert ("run in fp16 (--precision fp16)" in said) is (precision == "fp32")
    for name in said:
        assert said[name].pictures_per_second == pytest.approx(alone[name].rate().likely)
        assert said[name].gain == pytest.approx(alone[name].rate().likely / before.pictures_per_second.likely)


def test_i_features_once_a_longer_gop_are_suggested_where_gops_are_short(heavy, monkeypatch):
    short = replace(CAMERAS["720p camera"], pictures={"I": 1, "P": 4})
    monkeypatch.setitem(CAMERAS, "720p camera", short)
    made = predict(asked(heavy, "nano"))
    (found,) = (each for each in made.remedies if each.kind == "features")
    assert "an I-picture every 50 pictures (now 5)" in found.change
    case = replace(case_of(asked(heavy, "nano")), gop=50.0)
    assert found.pictures_per_second == pytest.approx(case.rate().likely)
    assert not [
        each for each in predict(asked(heavy, "nano", source="1080p camera")).remedies if each.kind == "features"
    ]


def test_changes_in_any_order_come_to_the_same(heavy):
    """What was changed before is not undone by the next."""
    from edgecvar.predict.remedies import _changes

    def after(*kinds):
        case = case_of(asked(heavy, "xavier-nx", precision="fp32", every=1))
        for kind in kinds:
            case = next(changed for _, each, changed in reversed(list(_changes(case))) if each == kind)
        return case.engine_ms().likely

    for one, other in (("size", "precision"), ("backbone", "precision"), ("size", "backbone")):
        both = after(one, other)
        assert both == pytest.approx(after(other, one), rel=0.02)
        assert both < min(after(one), after(other))


@pytest.mark.parametrize("goal, reached", [(60.0, True), (1e5, False)])
def test_enough_reaches_the_goal_or_ends_where_nothing_gains(heavy, goal, reached):
    made = predict(asked(heavy, "nano", precision="fp32", every=1, streams=4, goal=goal))
    start = made.pictures_per_second.likely
    assert start < goal
    rates = [each.pictures_per_second for each in made.enough]
    assert rates == sorted(rates) and rates[0] > start
    assert all(each.gain == pytest.approx(each.pictures_per_second / start) for each in made.enough)
    assert (rates[-1] >= goal) is reached and all(rate < goal for rate in rates[:-1])
    kinds = [each.kind for each in made.enough]
    assert len(set(kinds)) == len(kinds)
    if not reached:
        assert {"precision", "stride", "backbone"} <= set(kinds)


def test_a_goal_that_is_reached_already_wants_nothing(heavy):
    made = predict(asked(heavy, "agx-orin", goal=1.0))
    assert made.enough == [] and made.goal == 1.0


def test_a_smaller_input_has_the_layers_of_one():
    large, small = (network("resnet18", "fp16", (3, side, side)) for side in (256, 128))
    made = resized(large, 0.5)
    assert [layer.kind for layer in made] == [layer.kind for layer in small]
    for name in ("multiply_adds", "weights", "places"):
        ours, theirs = (sum(getattr(layer, name) for layer in layers) for layers in (made, small))
        assert ours == pytest.approx(theirs, rel=1e-3)
    assert resized(large, 1.0) == large


def test_hevc_is_reckoned_as_h264_and_that_is_said(tmp_path, heavy):
    clips = {codec: moving_clip(tmp_path / f"{codec}.mp4", codec=codec) for codec in ("h264", "hevc")}
    made = {codec: predict(asked(heavy, "orin-nano", source=str(clip))) for codec, clip in clips.items()}
    assert [any("of HEVC" in note for note in made[codec].notes) for codec in clips] == [False, True]
    assert made["hevc"].stages == made["h264"].stages
    assert made["hevc"].host.read.likely == pytest.approx(made["h264"].host.read.likely, rel=0.5)


def test_a_bundle_without_fp16_is_counted_on_its_fp32(tmp_path, heavy):
    without = predict(asked(heavy_bundle(tmp_path, ["fp32"])))
    assert without.precision == "fp16" and any("has no fp16 files" in note for note in without.notes)
    having = predict(asked(heavy))
    assert not any("has no fp16" in note for note in having.notes)
    assert without.stages == having.stages


def test_typing_is_the_versions(heavy):
    typings = {(name, each): predict(asked(heavy, name, precision=each)).typing
               for name in ("agx-xavier", "orin-nx") for each in ("fp16", "int8")}  # fmt: skip
    assert typings == {
        ("agx-xavier", "fp16"): "weak",
        ("agx-xavier", "int8"): "weak",
        ("orin-nx", "fp16"): "strong",
        ("orin-nx", "int8"): "weak",
    }


def test_layers_say_their_precision_and_int8_is_faster(heavy):
    half, narrow = (predict(asked(heavy, "orin-nx", precision=each)) for each in ("fp16", "int8"))
    assert {layer.precision for stage in half.stages for layer in stage.layers} == {"fp16"}
    motion = narrow.stages[1].layers
    assert [layer.precision for layer in motion].count("int8") == DEPTH and motion[0].precision == "fp16"
    assert narrow.sample_ms.likely < half.sample_ms.likely


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"device": "tx3"}, "tx2"),
        ({"device": "dgpu"}, "--for dgpu: any NVIDIA GPU in a workstation has no data sheet"),
        ({"precision": "int8"}, "Jetson TX2 (sm 62) has no INT8 path"),
        ({"device": "orin-nx", "precision": "int8"}, "compile it with int8"),
        ({"source": "no such file.mp4"}, "no such file.mp4"),
        ({"bundle": "nowhere"}, "not a bundle"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(tiny, changes, message):
    with pytest.raises(EdgecvarError) as caught:
        predict(PredictConfig(**{"device": "tx2", "bundle": tiny, **changes}))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_stage_that_is_no_graph_is_one_line(tmp_path):
    root = replace_stage(tiny_bundle(tmp_path), "motion", b"no graph")
    with pytest.raises(BundleError, match=r"motion\.fp32\.onnx: its graph cannot be read") as caught:
        predict(asked(root))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("camera", CAMERAS)
def test_cameras_by_name(tiny, camera):
    stream = predict(asked(tiny, source=camera)).stream
    assert (stream.name, stream.fps, stream.gop) == (CAMERAS[camera].name, 25.0, 50.0)
    assert stream.width == CAMERAS[camera].width


def test_a_file_is_a_source_that_is_counted(tiny, tmp_path):
    clip = moving_clip(tmp_path / "right.mp4", pictures=40)
    made = predict(asked(tiny, source=str(clip), every=3))
    assert made.stream.width < 640 and made.stream.every == 3
    larger = predict(asked(tiny, every=3))
    assert made.host.read.likely < larger.host.read.likely
    assert made.stages[1] == larger.stages[1]


def test_every_device_has_a_row_without_remedies(heavy):
    made = prediction_for_each(heavy)
    there = {name: DEVICES[name].precisions for name in predicted_devices()}
    assert [(each.device, each.precision) for each in made] == [
        (name, precision) for name, precisions in there.items() for precision in precisions
    ]
    assert all(each.remedies == each.enough == [] and each.goal is None for each in made)
    same = predict(asked(heavy, "orin-nx"))
    assert (
        next(each for each in made if (each.device, each.precision) == ("orin-nx", "fp16")).sample_ms == same.sample_ms
    )
    rates = {each.device: each.pictures_per_second.likely for each in made if each.precision == "fp16"}
    assert rates["nano"] < rates["tx2"] < rates["agx-xavier"] < rates["agx-orin"]


def test_the_device_table_of_watts_and_peaks_is_stated(heavy):
    made = predict(asked(heavy))
    assert (made.least_watts, made.watts, made.peak_gops, made.bandwidth_gb_per_s) == (7.5, 15.0, 1330.0, 59.7)
    assert made.fitted_on == fitted_model().fitted_on and made.median_error == fitted_model().median_error
