from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.errors import ConfigError
from edgecvar.stream.reader import open_stream
from edgecvar.train.augment.encoding import Encoder, Encoding, Shown, drawn_encoding
from edgecvar.train.augment.settings import Reencode
from tests.stream.known_clips import translation

PLAIN = Encoding("h264", 20, 12, 12, 0, 96, 64, 1, Fraction(25), "veryfast")


@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(16, 2000), st.integers(16, 2000)),
    st.fractions(Fraction(1), Fraction(240), max_denominator=1001),
    st.integers(2, 500),
)
def test_a_variant_is_in_the_ranges_and_never_larger_or_faster_than_the_clip(
    seed: int, size: tuple, fps: Fraction, pictures: int
) -> None:
    settings = Reencode(short_side=(120, 300), fps=(8.0, 20.0), gop=(5, 60), b_pictures=(1, 2))
    found = drawn_encoding(settings, Shown(*size, fps, pictures), np.random.default_rng(seed))
    assert 18 <= found.crf <= 36 and 5 <= found.gop <= 60 and 1 <= found.b_pictures <= 2
    assert 2 <= found.first_gop <= found.gop
    assert found.width % 2 == found.height % 2 == 0
    short = min(found.width, found.height)
    assert min(min(size), 120) - 1 <= short <= min(min(size), 300) + 1
    assert found.width / found.height == pytest.approx(size[0] / size[1], rel=3 / short)
    rate = fps / found.every
    assert float(found.fps) == pytest.approx(float(rate), rel=1e-3)
    assert found.fps.numerator <= 65535 and found.fps.denominator <= 65535
    assert found.every == 1 or (rate >= 8 and pictures // found.every >= 12)
    assert rate <= 20 or found.every == max(1, min(int(fps / 8), pictures // 12)) or fps < 20


def test_every_rate_codec_and_preset_of_the_ranges_comes_up() -> None:
    shown = Shown(640, 480, Fraction(30), 300)
    drawn = [drawn_encoding(Reencode(), shown, np.random.default_rng(seed)) for seed in range(300)]
    assert {each.every for each in drawn} == {1, 2, 3}
    assert {each.codec for each in drawn} == {"h264", "mpeg4"}
    assert {each.preset for each in drawn} == {"ultrafast", "veryfast", "faster"}
    assert {each.b_pictures for each in drawn} == {0, 1, 2, 3}
    gops = [each.gop for each in drawn]
    assert min(gops) < 16 and max(gops) > 200 and 40 < np.median(gops) < 75  # the geometric mean is 55


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4"])
@pytest.mark.parametrize("b_pictures", [0, 2])
def test_a_file_is_what_its_encoding_says(tmp_path: Path, codec: str, b_pictures: int) -> None:
    encoding = replace(PLAIN, codec=codec, gop=9, first_gop=4, b_pictures=b_pictures, every=2, fps=Fraction(25, 2))
    path = tmp_path / "clip.mp4"
    with Encoder(path, encoding) as encoder:
        for picture in translation(50, (128, 192), (2.0, -1.0), seed=5):
            encoder.push(picture)
    with open_stream(path) as stream:
        info = stream.info
        shown = {picture.display_index: picture.kind for picture in stream}
    assert (info.codec, info.width, info.height, info.fps) == (codec, 96, 64, Fraction(25, 2))
    kinds = "".join(shown[index] for index in range(len(shown)))
    assert len(kinds) == 25 and kinds[0] == kinds[4] == "I" and "I" not in kinds[1:4]
    assert ("B" in kinds) == bool(b_pictures)
    later = [index for index, kind in enumerate(kinds[5:], start=5) if kind == "I"]
    assert later and max(np.diff([4, *later, 25])) <= 9


def test_hevc_comes_up_where_it_is_asked_for_and_what_was_drawn_before_it_stays() -> None:
    shown, draws = Shown(640, 480, Fraction(30), 300), range(200)
    both, three = Reencode(), Reencode(codecs=["h264", "hevc", "mpeg4"])
    before = [drawn_encoding(both, shown, np.random.default_rng(seed)) for seed in draws]
    assert (before[0].codec, before[0].crf, before[0].gop, before[0].fps) == ("mpeg4", 30, 14, Fraction(30))
    drawn = [drawn_encoding(three, shown, np.random.default_rng(seed)).codec for seed in draws]
    assert 0.2 < np.mean([codec == "hevc" for codec in drawn]) < 0.5


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_file_is_the_same_bytes_each_time(tmp_path: Path, codec: str) -> None:
    files = []
    for _ in range(2):
        with Encoder(tmp_path / "x.mp4", replace(PLAIN, codec=codec, b_pictures=2, preset="faster")) as encoder:
            for picture in translation(20, (64, 96), (1.0, 0.0), seed=5):
                encoder.push(picture)
        files.append((tmp_path / "x.mp4").read_bytes())
    assert files[0] == files[1]


def test_quality_follows_crf(tmp_path: Path) -> None:
    for codec in ("h264", "hevc", "mpeg4"):
        sizes = []
        for crf in (18, 27, 36):
            path = tmp_path / f"{codec}{crf}.mp4"
            with Encoder(path, replace(PLAIN, codec=codec, crf=crf)) as encoder:
                for picture in translation(12, (64, 96), (1.0, 0.0), seed=5):
                    encoder.push(picture)
            sizes.append(path.stat().st_size)
        assert sizes[0] > 1.3 * sizes[1] > 1.69 * sizes[2], sizes


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecvar.train.augment import encoding

    def missing(*ignored: object) -> dict:
        raise encoding.UnknownCodecError("libx264")

    monkeypatch.setattr(encoding, "_options", missing)
    with pytest.raises(ConfigError, match=r"no libx264 encoder; .*leave h264 out"), Encoder(tmp_path / "x.mp4", PLAIN):
        pass
