"""What the native core prepares of a parsed picture is what the plain definition makes of its vectors and samples."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edgecvar.clips import filters
from edgecvar.clips.filters import Grid, Taps
from edgecvar.clips.prepare import Preparer, View
from edgecvar.clips.spec import InputSpec
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.motion import velocity
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import StreamInfo
from tests.stream.known_clips import X265, encode, translation

native = pytest.importorskip("edgecvar.stream.native._core", reason="the native core is not installed")

CODINGS = {
    "HEVC, P and B, several references": ("yuv420p", "hevc:ref=4:bframes=3:weightp=1:keyint=12:rect=1:amp=1"),
    "HEVC, 10 bit": ("yuv420p10le", "hevc:bframes=2:keyint=12:ctu=16"),
    "HEVC, grey": ("gray", "hevc:bframes=1"),
    "P and B, several references": ("yuv420p", "ref=4:bframes=3:weightp=2:8x8dct=1:keyint=12"),
    "many slices": ("yuv420p", "slices=4:bframes=2:direct=spatial:cabac=0:8x8dct=0"),
    "10 bit": ("yuv420p10le", "bframes=2:keyint=12"),
    "grey": ("gray", "bframes=1"),
    "lossless": ("yuv420p", "qp=0:bframes=1"),
}
SHOWN = (74, 98), (37, 49), (37, 49)
SQUARE = StreamInfo("h264", 64, 64, Fraction(30), Fraction(1, 30), True, "native", 64, 64)
VIEWS = [View(0, 0, 1, 1), View(0.1, 0.2, 0.7, 0.75, flip=True), View(0.4, 0, 0.3, 0.4)]


@pytest.fixture(scope="module", params=CODINGS)
def pictures(request, tmp_path_factory):
    """(what is known of the stream, its P and B pictures); 74 x 98 pixels of 80 x 112, or of 80 x 104."""
    pixel_format, parameters = CODINGS[request.param]
    moving = translation(16, (74, 98), (2, -1), patch=(5, 3))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    if parameters.startswith("hevc:"):
        options = {"x265-params": f"{parameters[5:]}:crf=20:{X265}"}
        encode(path, moving, "libx265", options, pixel_format=pixel_format)
    else:
        options = {"x264-params": parameters, **({} if "qp" in parameters else {"crf": "20"})}
        encode(path, moving, "libx264", options, pixel_format=pixel_format)
    with open_stream(path) as stream:
        assert stream.info.extraction == "native"
        found = [picture for picture in stream if picture.kind != "I"]
        assert any(picture.residual.y.any() for picture in found)
        assert any(picture.motion.intra.any() for picture in found)
        return stream.info, found


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(32, 48), (160, 120)])
def test_a_parsed_picture_gives_what_its_arrays_give(pictures, rotation, size):
    """To the bit: what a network is trained on and what it is run on are one thing."""
    info, found = pictures
    spec = InputSpec(height=size[0], width=size[1], velocity_unit=0.5, velocity_per="second")
    assert info.fps == 25
    for view in VIEWS:
        preparer = Preparer(replace(info, rotation=rotation), spec, view)
        for picture in found[::5]:
            motion, residual = preparer.motion(picture.parsed), preparer.residual(picture.parsed)
            assert motion.tobytes() == preparer.motion(velocity(picture.motion)).tobytes()
            assert residual.tobytes() == preparer.residual(picture.residual).tobytes()
            assert preparer.intra(picture.parsed).tobytes() == preparer.intra(picture.motion.intra).tobytes()
            assert motion.any()


@pytest.mark.parametrize("limit", [None, 0.2])
def test_vectors_are_cut_to_the_same_bit(pictures, limit, monkeypatch):
    """No float is exactly 0.2 / 0.07."""
    info, found = pictures
    spec = InputSpec(height=40, width=60, velocity_unit=0.07, velocity_limit=limit)
    compiled = Preparer(info, spec)
    monkeypatch.setattr(filters, "native_core", lambda: "not today")
    plain, largest = Preparer(info, spec), np.float32(spec.motion_limit)
    for picture in found[::5]:
        field = velocity(picture.motion)
        motion = compiled.motion(picture.parsed)
        assert np.abs(motion).max() == np.abs(plain.motion(field)).max() == largest
        assert (np.abs(motion) == largest).tobytes() == (np.abs(plain.motion(field)) == largest).tobytes()
        assert motion.tobytes() == compiled.motion(field).tobytes()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_without_the_core_numpy_gives_the_same(pictures, rotation, monkeypatch):
    info, found = pictures
    info = replace(info, rotation=rotation)
    spec = InputSpec(height=40, width=60, velocity_per="second")
    planes = ShownPlanes(*(np.random.default_rng(1).integers(0, 256, shape, np.uint8) for shape in SHOWN), 1, False)
    for view in VIEWS:
        compiled = Preparer(info, spec, view)
        monkeypatch.setattr(filters, "native_core", lambda: "not today")
        plain = Preparer(info, spec, view)
        assert np.abs(compiled.image(planes) - plain.image(planes)).max() < 1e-5
        for picture in found[::5]:
            field = velocity(picture.motion)
            assert np.abs(compiled.motion(picture.parsed) - plain.motion(field)).max() < 1e-5
            assert np.abs(compiled.residual(picture.parsed) - plain.residual(picture.residual)).max() < 1e-5
            assert np.abs(compiled.intra(picture.parsed) - plain.intra(picture.motion.intra)).max() < 1e-5
        monkeypatch.undo()


@pytest.mark.parametrize("inputs, outputs", [(90, 32), (20, 64), (7, 40), (64, 64)])
def test_numpy_gives_the_sum_that_a_triangle_filter_is(inputs, outputs):
    """Both axes as matrices, in double precision."""
    start, length = 0.1 * inputs, 0.8 * inputs
    step = length / outputs
    reach = max(step, 1.0)
    matrix = np.zeros((outputs, inputs))
    for output in range(outputs):
        centre = start + (output + 0.5) * step - 0.5
        for tap in range(int(np.floor(centre - reach)), int(np.ceil(centre + reach)) + 1):
            matrix[output, min(max(tap, 0), inputs - 1)] += max(0.0, 1 - abs(tap - centre) / reach)
        matrix[output] /= matrix[output].sum()
    taps = Taps.make(start, length, outputs, inputs)
    source = np.random.default_rng(2).normal(size=(inputs, inputs)).astype(np.float32)
    assert np.abs(Grid(taps, taps)(source) - matrix @ source @ matrix.T).max() < 1e-5


def test_an_image_has_the_colours_of_its_rgb():
    rng = np.random.default_rng(3)
    spec = InputSpec(height=64, width=64, crop=1.0, image_mean=(0, 0, 0), image_std=(1, 1, 1))
    for matrix, full in ((6, False), (1, False), (9, True), (2, True)):
        cb, cr = (np.full((32, 32), level, np.uint8) for level in rng.integers(60, 190, 2))
        planes = ShownPlanes(np.full((64, 64), rng.integers(60, 190), np.uint8), cb, cr, matrix, full)
        preparer = Preparer(SQUARE, spec)
        np.testing.assert_allclose(preparer.image(planes)[:, 9, 9], planes.rgb()[9, 9] / 255.0, atol=1 / 255)


def test_threads_that_share_a_preparer_do_not_disturb_one_another(pictures):
    info, found = pictures
    preparer = Preparer(info, InputSpec(height=64, width=64))
    expected = [preparer.residual(picture.parsed).tobytes() for picture in found]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            got = pool.map(lambda picture: preparer.residual(picture.parsed).tobytes(), found)
            assert list(got) == expected


def test_memory_that_is_given_is_filled(pictures):
    info, found = pictures
    preparer = Preparer(info, InputSpec(height=64, width=64))
    batch = np.full((2, 3, 64, 64), 9, np.float32)
    assert preparer.residual(found[0].parsed, batch[1]) is not None
    assert (batch[0] == 9).all() and batch[1].tobytes() == preparer.residual(found[0].parsed).tobytes()


def test_what_does_not_fit_is_refused(pictures):
    picture = pictures[1][0].parsed
    high, wide = picture.sequence.coded_height, picture.sequence.coded_width
    inputs = (high, wide, high // 2, wide // 2, high // 4, wide // 4)
    axes = [native.Axis([[0, 1], [1, 2]], [[0.5, 0.5]] * 2, count) for count in inputs]
    colour = native.Colour((((1.0, 0.0, 0.0, 0.0, 1.0, 0.0),) * 3), -1, 1)
    out = np.zeros((3, 2, 2), np.float32)
    native.ColourFilter(*axes[:4]).residual(picture, colour, out)
    native.BlockFilter(*axes[4:]).picture(picture, (1, 1, 8), out[:2])
    native.BlockFilter(*axes[4:]).intra(picture, out[:1])
    for wrong in (
        out[:2],
        out.astype(np.float64),
        out[:, :1],
        np.frombuffer(out.tobytes(), np.float32).reshape(3, 2, 2),
    ):
        with pytest.raises(ValueError, match="output"):
            native.ColourFilter(*axes[:4]).residual(picture, colour, wrong)
    with pytest.raises(ValueError, match="another size"):
        native.ColourFilter(axes[2], axes[3], axes[4], axes[5]).residual(picture, colour, out)
    with pytest.raises(ValueError, match="another size"):
        native.BlockFilter(*axes[2:4]).picture(picture, (1, 1, 8), out[:2])
    with pytest.raises(ValueError, match="another size"):
        native.BlockFilter(*axes[2:4]).intra(picture, out[:1])
    with pytest.raises(ValueError, match="output"):
        native.BlockFilter(*axes[4:]).intra(picture, out[:2])
    with pytest.raises(ValueError, match="picture's blocks"):
        native.BlockFilter(*axes[4:]).mask(np.zeros((20, 27), bool), out[:1])
    with pytest.raises(ValueError, match="one picture"):
        native.ColourFilter(axes[0], axes[1], axes[4], axes[5])
    with pytest.raises(ValueError, match="taps outside"):
        native.Axis([[0, 3]], [[0.5, 0.5]], 3)
    with pytest.raises(ValueError, match="size"):
        native.ColourFilter(*axes[:4]).planes((np.zeros((80, 96), np.uint8),) * 3, colour, out)


def test_an_i_picture_has_no_motion_to_prepare(tmp_path):
    path = tmp_path / "clip.h264"
    encode(path, translation(1, (64, 64), (0, 0)), "libx264", {})
    (picture,) = native.Parser("h264", b"").parse(path.read_bytes(), 0)
    picture.display_index = 0
    axes = [native.Axis([[0, 1]], [[0.5, 0.5]], inputs) for inputs in (64, 64, 32, 32, 16, 16)]
    out = np.zeros((3, 1, 1), np.float32)
    for prepared in (
        lambda: native.BlockFilter(*axes[4:]).picture(picture, (1, 1, 8), out[:2]),
        lambda: native.BlockFilter(*axes[4:]).intra(picture, out[:1]),
        lambda: native.ColourFilter(*axes[:4]).residual(picture, native.Colour(((1.0,) * 6,) * 3, -1, 1), out),
    ):
        with pytest.raises(ValueError, match="no motion and no residual"):
            prepared()
