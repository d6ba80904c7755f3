"""The pipeline that decodes everything does what a user would: all pictures, the sampled ones scaled and looked at."""

from __future__ import annotations

import av
import numpy as np
import pytest

from edgecvar.bench.decoding import Decoding, Look, look_of
from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.stages import StageState
from edgecvar.errors import ConfigError
from edgecvar.runners.runner import Step
from edgecvar.stream.container import open_video
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle, tiny_clip_bundle

LOOK = Look("appearance", "image", (3, 32, 48), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "b.mp4", pictures=40, bf="2")


class Keeping:
    """A runner that keeps what it is given."""

    name = "keeping"

    def __init__(self):
        self.calls = []

    def launch(self, stage, inputs):
        self.calls.append((stage, inputs))
        return np.zeros((1, 3), np.float32)

    def fetch(self, value):
        return value


def played(clip, every, threads=2, **options):
    runner = Keeping()
    with open_video(clip) as video:
        shown = list(Decoding(runner, LOOK, every, threads).pictures(video, **options))
    return shown, runner.calls


@pytest.mark.parametrize("threads", [1, 3])
def test_every_picture_is_decoded_and_each_kth_looked_at_as_pyav_scales_it(clip, threads):
    shown, calls = played(clip, 4, threads)
    assert [each.looked for each in shown] == [number % 4 == 0 for number in range(40)]
    with av.open(str(clip)) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number % 4 == 0]
        plain = [frame.reformat(width=48, height=32, format="rgb24").to_ndarray() for frame in frames]
    assert len(calls) == len(plain)
    for (stage, inputs), rgb in zip(calls, plain):
        assert stage == "appearance" and list(inputs) == ["image"]
        expected = (rgb / 255 - np.array(LOOK.mean)) / np.array(LOOK.std)
        assert inputs["image"].shape == (1, 3, 32, 48) and inputs["image"].dtype == np.float32
        assert np.allclose(inputs["image"][0], expected.transpose(2, 0, 1), atol=1e-5)


def test_a_picture_arrives_with_its_own_packet_whatever_the_order(clip):
    shown, _ = played(clip, 1, arrival=float)
    with open_stream(clip) as stream:
        numbers = {picture.display_index: picture.decode_index for picture in stream}
    assert [each.arrived for each in shown] == [numbers[place] for place in range(40)]
    assert numbers != {place: place for place in range(40)}  # there are B-pictures


def test_a_stream_that_ends_early_gives_what_had_come(clip):
    shown, calls = played(clip, 2, arrival=lambda number: None if number == 10 else float(number))
    assert (len(shown), len(calls)) == (10, 5)


def test_a_packet_that_cannot_be_decoded_is_left_out(tmp_path, clip):
    broken = tmp_path / "broken.h264"
    with av.open(str(clip)) as source:
        filtered = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", source.streams.video[0])
        packets = [bytes(out) for packet in source.demux(video=0) for out in filtered.filter(packet)]
    packets[5] = packets[5][:5] + bytes(20)
    broken.write_bytes(b"".join(packets))
    shown, _ = played(broken, 4)
    assert 30 <= len(shown) <= 40


def test_the_appearance_stage_is_what_looks(tmp_path):
    manifest = open_bundle(tiny_bundle(tmp_path)).manifest
    spec = manifest.input
    assert look_of(manifest) == Look("appearance", "image", (3, 32, 32), spec.image_mean, spec.image_std)


def test_a_network_without_images_looks_with_what_it_has(tmp_path):
    manifest = open_bundle(tiny_bundle(tmp_path)).manifest
    motion = manifest.model_copy(update={"stages": [stage for stage in manifest.stages if stage.name == "motion"]})
    look = look_of(motion)
    assert (look.stage, look.tensor, look.shape) == ("motion", "motion", (2, 32, 32))
    assert look.prepared(np.zeros((32, 32, 3), np.uint8)).shape == (1, 2, 32, 32)
    assert look.state == {}


def test_a_stage_that_remembers_hands_its_state_from_look_to_look_and_a_new_stream_begins_anew(clip, tmp_path):
    manifest = open_bundle(tiny_bundle(tmp_path)).manifest
    states = [StageState(name="before", shape=[2]), StageState(name="past", shape=[4, 3, 1])]
    (motion,) = (stage for stage in manifest.stages if stage.name == "motion")
    look = look_of(manifest.model_copy(update={"stages": [motion.model_copy(update={"state": states})]}))
    assert (look.stage, look.shape, look.state) == ("motion", (2, 32, 32), {"before": [2], "past": [4, 3, 1]})

    class Counting(Keeping):
        """Gives, as each state, how many calls there were."""

        def launch(self, stage, inputs):
            super().launch(stage, inputs)
            return Step(np.zeros((1, 3), np.float32), {name: len(self.calls) for name in look.state})

    runner = Counting()
    decoding = Decoding(runner, look, 8, 2)
    for _ in range(2):
        with open_video(clip) as video:
            assert sum(each.looked for each in decoding.pictures(video)) == 5
    for _, inputs in runner.calls[::5]:
        assert inputs["before"].shape == (1, 2) and inputs["past"].shape == (1, 4, 3, 1)
        assert all(inputs[name].dtype == np.float32 and not inputs[name].any() for name in look.state)
    for number, (_, inputs) in enumerate(runner.calls):
        assert set(inputs) == {look.tensor, *look.state}
        assert number % 5 == 0 or all(inputs[name] == number for name in look.state)


def test_a_network_of_clips_alone_cannot_be_compared(tmp_path):
    manifest = open_bundle(tiny_clip_bundle(tmp_path, 4)).manifest
    clips = manifest.model_copy(update={"stages": [manifest.stages[-1]]})
    with pytest.raises(ConfigError, match="no stage of this network looks at one picture alone"):
        look_of(clips)
