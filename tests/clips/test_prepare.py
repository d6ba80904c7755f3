"""The one preparation: geometry, signs and scale against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edgecvar.clips.prepare import Preparer, View, centre_view
from edgecvar.clips.spec import InputSpec
from edgecvar.stream.types import Residual, StreamInfo
from tests.clips.planes import grey


def info(width=64, height=64, rotation=0, coded=None, left=0, top=0):
    coded_width, coded_height = coded or (width, height)
    return StreamInfo(
        "h264", width, height, Fraction(30), Fraction(1, 30), True, "ffmpeg", coded_width, coded_height,
        left, top, rotation,
    )  # fmt: skip


def spec(**changes):
    return InputSpec(**{"height": 64, "width": 64, "crop": 1.0, "velocity_unit": 1.0, "residual_unit": 1.0, **changes})


def test_same_size_is_the_identity():
    image = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    plain = spec(image_mean=(0, 0, 0), image_std=(1, 1, 1))
    got = Preparer(info(), plain).image(grey(image))
    np.testing.assert_allclose(got, np.stack([image] * 3) / 255.0, atol=1e-6)


def test_image_is_normalised_by_mean_and_deviation():
    got = Preparer(info(), spec()).image(grey(np.full((64, 64), 255, np.uint8)))
    np.testing.assert_allclose(got[:, 5, 5], [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-5)


def test_shrinking_keeps_the_mean_of_fine_detail():
    checks = ((np.indices((128, 128)).sum(axis=0) % 2) * 255).astype(np.uint8)
    plain = spec(height=32, width=32, image_mean=(0, 0, 0), image_std=(1, 1, 1))
    got = Preparer(info(128, 128), plain).image(grey(checks))
    np.testing.assert_allclose(got[:, 2:-2, 2:-2], 0.5, atol=0.02)


def test_the_central_view_keeps_the_aspect():
    view = centre_view(info(340, 256), InputSpec())
    assert (view.height * 256, view.width * 340) == pytest.approx((240, 240))
    assert view.left * 340 == pytest.approx(50)


def test_squash_takes_the_same_part_of_both_axes():
    view = centre_view(info(340, 256), InputSpec(squash=True, crop=0.5))
    assert (view.top, view.left, view.height, view.width) == (0.25, 0.25, 0.5, 0.5)


def test_velocity_is_counted_in_input_pixels():
    field = np.zeros((32, 32, 2), np.float32)
    field[...] = (2.0, -1.0)
    got = Preparer(info(128, 128), spec(velocity_unit=0.5)).motion(field)  # 128 -> 64 halves, the unit doubles
    np.testing.assert_allclose(got[0], 2.0, atol=1e-6)
    np.testing.assert_allclose(got[1], -1.0, atol=1e-6)


@pytest.mark.parametrize("fps", [Fraction(10), Fraction(25), Fraction(30000, 1001)])
def test_velocity_per_second_is_that_of_a_camera_of_30_pictures_a_second(fps):
    """Content of 60 input pixels a second moves by 60 / fps of them a frame and by 2 in a 30th of a second."""
    field = np.full((16, 16, 2), 60 / float(fps), np.float32)
    per_frame, per_second = (
        Preparer(replace(info(), fps=fps), spec(velocity_per=per)).motion(field)[:, 32, 32]
        for per in ("frame", "second")
    )
    np.testing.assert_allclose(per_frame, 60 / float(fps), rtol=1e-6)
    np.testing.assert_allclose(per_second, 2.0, rtol=1e-6)


@pytest.mark.parametrize("per", ["frame", "second"])
@pytest.mark.parametrize("limit, shown", [(None, 8.0), (6.0, 3.0), (40.0, 10.0)])
def test_motion_is_cut_at_so_many_input_pixels(limit, shown, per):
    """40 pixels of 128 are 20 of 64 in a 30th of a second, and 10 units of 2; the other axis has less than all."""
    field = np.zeros((32, 32, 2), np.float32)
    field[...] = (-40.0 if per == "frame" else -20.0, 2.0 if per == "frame" else 1.0)
    fps = Fraction(30 if per == "frame" else 60)
    cut = spec(velocity_unit=2.0, velocity_limit=limit, velocity_per=per)
    preparer = Preparer(replace(info(128, 128), fps=fps), cut)
    for got in (preparer.motion(field), preparer.flow(field[:8, :8])):
        np.testing.assert_allclose(got[0], -shown, atol=1e-6)
        np.testing.assert_allclose(got[1], 0.5, atol=1e-6)


def test_twenty_pixels_of_a_video_of_256_lines_are_twenty_input_pixels():
    """CoViAR's and DMC's limit: 224 of its lines are shown at 224, in the centre; half the view shows twice as many."""
    released = InputSpec(height=224, width=224, crop=0.875, velocity_unit=9.04, velocity_limit=20.0)
    video = info(340, 256)
    centre = centre_view(video, released)
    field = np.full((64, 85, 2), 19.5, np.float32)
    assert Preparer(video, released).motion(field) == pytest.approx(19.5 / 9.04, rel=1e-4)
    assert Preparer(video, released).motion(field + 1) == pytest.approx(20 / 9.04, rel=1e-4)
    half = View(centre.top, centre.left, centre.height / 2, centre.width / 2)
    assert Preparer(video, released, half).motion(field / 2) == pytest.approx(19.5 / 9.04, rel=1e-4)
    assert Preparer(video, released, half).motion(field) == pytest.approx(20 / 9.04, rel=1e-4)


def test_flip_mirrors_the_picture_and_negates_horizontal_motion():
    field = np.zeros((16, 16, 2), np.float32)
    field[:, :8] = (1.0, 3.0)
    view = View(0, 0, 1, 1, flip=True)
    got = Preparer(info(), spec(), view).motion(field)
    np.testing.assert_allclose(got[:, 10, 60], [-1.0, 3.0], atol=1e-6)
    np.testing.assert_allclose(got[:, 10, 3], [0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotation_turns_picture_and_vectors_together(turns):
    """A pixel that moves by its own vector lands, once turned, where the turned vector says."""
    plain = spec(image_mean=(0, 0, 0), image_std=(1, 1, 1))
    preparer = Preparer(info(rotation=90 * turns), plain)
    image = np.zeros((64, 64), np.uint8)
    image[10, 20] = 255
    later = np.zeros((64, 64), np.uint8)
    later[10 + 3, 20 + 7] = 255
    here, there = (np.argwhere(preparer.image(grey(picture))[0] > 0.5)[0] for picture in (image, later))
    field = np.zeros((16, 16, 2), np.float32)
    field[...] = (7.0, 3.0)
    vx, vy = preparer.motion(field)[:, 32, 32]
    assert tuple(there - here) == (vy, vx)


def test_a_view_of_a_rotated_picture_is_taken_as_displayed():
    image = np.zeros((64, 128), np.uint8)
    image[:, 96:] = 255  # right quarter: on top after one counter-clockwise turn
    plain = spec(image_mean=(0, 0, 0), image_std=(1, 1, 1))
    wide = info(128, 64, rotation=90)
    top = Preparer(wide, plain, View(0.0, 0.0, 0.25, 1.0)).image(grey(image))
    bottom = Preparer(wide, plain, View(0.5, 0.0, 0.25, 1.0)).image(grey(image))
    assert top[0, 10:50].min() > 0.99 and bottom.max() == 0


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_intra_blocks_are_where_the_picture_shows_them(turns, flip):
    """At a block an input pixel the share is the mask itself: turned, mirrored, and cut as the view says."""
    mask = np.zeros((64, 64), bool)
    mask[20:28, 30:60] = True
    displayed = np.rot90(mask, turns)[None]
    large = info(256, 256, rotation=90 * turns)
    step = -1 if flip else 1
    whole = Preparer(large, spec(), View(0, 0, 1, 1, flip)).intra(mask)
    np.testing.assert_allclose(whole, displayed[..., ::step], atol=1e-6)
    part = Preparer(large, spec(height=32, width=32), View(0.25, 0.375, 0.5, 0.5, flip)).intra(mask)
    np.testing.assert_allclose(part, displayed[:, 16:48, 24:56][..., ::step], atol=1e-6)
    assert 0 < part.sum() < whole.sum() == 240


def test_intra_is_a_share_of_area():
    """Of a rectangle away from the border the shares sum up to its area in input pixels, none is beyond 0 to 1."""
    mask = np.zeros((64, 64), bool)
    mask[21:40, 15:42] = True
    for side in (32, 48, 128):
        got = Preparer(info(256, 256), spec(height=side, width=side)).intra(mask)
        assert got.shape == (1, side, side) and got.dtype == np.float32
        assert got.sum() == pytest.approx(19 * 27 * (side / 64) ** 2, rel=0.01)
        assert got.min() == 0 and got.max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(Preparer(info(256, 256), spec()).intra(np.ones((64, 64), bool)), 1, atol=1e-6)


def test_cropped_streams_skip_the_padding():
    field = np.full((16, 16, 2), 9.0, np.float32)
    field[2:14, 2:14] = 1.0  # the shown 48 x 48 starts at (8, 8) of the coded 64 x 64
    shown = info(48, 48, coded=(64, 64), left=8, top=8)
    got = Preparer(shown, spec(height=48, width=48)).motion(field)
    np.testing.assert_allclose(got[:, 4:-4, 4:-4], 1.0, atol=1e-6)


def test_residual_is_the_linear_part_of_the_colour_conversion():
    half = np.full((32, 32), 10, np.int16)
    residual = Residual(np.full((64, 64), 20, np.int16), half, -half)
    red, green, blue = Preparer(info(), spec()).residual(residual)[:, 30, 30]
    assert red == pytest.approx(1.164384 * 20 - 15.96027, abs=1e-4)
    assert green == pytest.approx(1.164384 * 20 - 3.91762 + 8.12968, abs=1e-4)
    assert blue == pytest.approx(1.164384 * 20 + 20.17232, abs=1e-4)


def test_mismatched_vectors_are_clipped():
    field = np.full((16, 16, 2), 500.0, np.float32)
    assert Preparer(info(), spec()).motion(field).max() == 8.0


def test_a_view_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="not inside"):
        View(0.5, 0, 0.6, 1)
