"""Flags that several verbs share mean and bound the same in each."""

from __future__ import annotations

import json

import click
import pytest

from edgecvar.cli.flags import every_flag, extraction_flag, timeout_flag
from edgecvar.cli.main import VERBS, cli
from edgecvar.clips.spec import LARGEST_STRIDE
from tests.moving_clip import moving_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "b.mp4", pictures=40, bf="2")


def flags(verb):
    command = cli.get_command(click.Context(cli), verb)
    return {flag: option for option in command.params for flag in option.opts}


def test_a_flag_is_the_same_in_every_verb_that_has_it():
    @every_flag
    @extraction_flag
    @timeout_flag
    @click.command()
    def model():
        pass

    shared = {flag: option for option in model.params for flag in option.opts}
    having = {flag: {verb for verb in VERBS if flag in flags(verb)} for flag in shared}
    assert having["--every"] == {"run", "eval", "scan", "bench"}
    assert having["--extraction"] == {"run", "scan", "inspect", "extract", "bench"}
    assert having["--timeout"] == having["--extraction"] | {"sources"}
    for flag, verbs in having.items():
        for verb in verbs:
            assert flags(verb)[flag].to_info_dict() == shared[flag].to_info_dict(), (verb, flag)


@pytest.mark.parametrize("verb", ["run", "eval", "bench"])
@pytest.mark.parametrize("every", [0, LARGEST_STRIDE + 1, "x"])
def test_a_stride_out_of_bounds_is_refused(edgecvar, verb, every):
    code, _, err = edgecvar(verb, "a", *["b"] * (verb == "eval"), "--every", every)
    assert code == 2 and "--every" in err


def test_a_video_is_read_as_asked_for_in_every_verb(edgecvar, clip, tmp_path):
    said = {}
    for how in ("native", "ffmpeg"):
        asked = (clip, "--extraction", how)
        inspected = json.loads(edgecvar("inspect", *asked, "--json")[1])
        extracted = json.loads(edgecvar("extract", *asked, "-o", tmp_path / "a.npz", "--json")[1])
        save = ("--save", tmp_path / "b.json", "--seconds", "0.1", "--json")
        measured = json.loads(edgecvar("bench", *asked, *save)[1])
        run = edgecvar("run", *asked, "--json", "--overlay", tmp_path / "o.mp4")
        assert run[0] == 0
        said[how] = {inspected["info"]["extraction"], extracted["extraction"], measured["session"]["extraction"]}
    assert said == {"native": {"native"}, "ffmpeg": {"ffmpeg"}}
    shown = edgecvar("inspect", clip, "--extraction", "ffmpeg", "--picture", tmp_path / "p.png")
    assert shown[0] == 0 and "drawn: " in shown[2]


def test_advice_to_read_otherwise_can_be_followed(edgecvar, tmp_path):
    """MPEG-4 part 2, which the native core does not read."""
    from tests.stream.known_clips import encode, translation

    clip = encode(tmp_path / "a.mp4", translation(20, (64, 96), (1, 0)), codec="mpeg4")
    for verb in ("run", "inspect"):
        code, _, err = edgecvar(verb, clip, "--extraction", "native")
        assert code == 1 and "--extraction ffmpeg" in err and str(clip) in err
        assert edgecvar(verb, clip, "--extraction", "ffmpeg")[0] == 0
