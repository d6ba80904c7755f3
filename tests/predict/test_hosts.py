"""Hosts are scaled by the ratio of published scores, and say what was assumed."""

from __future__ import annotations

import pytest

from edgecvar.errors import ConfigError
from edgecvar.predict.hardware import predicted_devices
from edgecvar.predict.host.cost import load_reference
from edgecvar.predict.hosts import H264_OF_H265, host_of, watts_of
from edgecvar.predict.published.hosts import published_hosts

HOSTS = published_hosts()


@pytest.mark.parametrize("name", predicted_devices())
def test_a_score_is_a_ratio_of_the_same_benchmark(name):
    published, (host, notes) = HOSTS.host(name), host_of(name)
    assert host.cores == published.cores and not host.measured
    score = published.single_core
    if score is None:
        orin = HOSTS.host("agx-orin")
        score = orin.single_core * published.ghz / orin.ghz
    assert host.score == pytest.approx(score / load_reference().mips)
    assert bool(notes) == (published.single_core is None or published.estimated or not published.h264_pixels_per_second)


def test_slower_clocks_of_one_core_score_lower():
    scores = {name: host_of(name)[0].score for name in predicted_devices()}
    assert scores["nano"] == pytest.approx(scores["tx2"] * 1.43 / 2.0)
    assert scores["nano"] < scores["xavier-nx"] < scores["agx-orin"]


def test_a_decoder_is_published_or_taken_from_another_codec_and_said():
    assert host_of("xavier-nx")[0].decoder_pixels_per_second == HOSTS.host("xavier-nx").h264_pixels_per_second
    host, notes = host_of("agx-xavier")
    assert host.decoder_pixels_per_second == H264_OF_H265 * HOSTS.host("agx-xavier").h265_pixels_per_second
    assert any("of that for H.265 was taken" in note for note in notes)
    host, notes = host_of("agx-xavier", "hevc")
    assert host.decoder_pixels_per_second == HOSTS.host("agx-xavier").h265_pixels_per_second
    assert not any("H.265" in note for note in notes)
    nx = HOSTS.host("xavier-nx")
    assert pytest.approx(nx.h264_pixels_per_second / nx.h265_pixels_per_second, rel=0.02) == H264_OF_H265


def test_what_stands_in_is_said():
    assert any("in another device was taken" in note for note in host_of("tx2")[1])
    assert any("that of agx-orin was taken" in note for note in host_of("thor")[1])
    assert host_of("nano")[1] == []


def test_watts_are_those_published():
    least, most, what = watts_of("tx2")
    assert (least, most) == (7.5, 15) and "power range" in what


def test_an_unknown_host_is_an_error_with_the_nearest():
    with pytest.raises(ConfigError, match="orin-nano"):
        host_of("orin-nanno")
