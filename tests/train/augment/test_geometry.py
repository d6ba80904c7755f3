"""What is changed of a clip's inputs is what an encoder finds in pixels that are changed so.

Tolerances: vectors are in quarter pixels and an encoder takes a cheaper one that is nearly as good, so that means
over blocks are right to a tenth of a pixel a picture and single blocks to some quarters.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.clips.prepare import View
from edgecvar.train.augment.camera import with_camera, without_camera
from edgecvar.train.augment.light import lit
from edgecvar.train.augment.turning import rotated
from edgecvar.train.augment.vectors import faster
from tests.train.augment.filmed import COUNT, HEIGHT, SPEC, VELOCITY, WIDTH, film, inside, mean, prepared, read

pytestmark = pytest.mark.train
NEAR = 0.12


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The film of a still camera, read."""
    recorded = read(tmp_path_factory.mktemp("film") / "plain.mp4", film())
    assert mean(prepared(recorded), inside()) == pytest.approx(VELOCITY, abs=NEAR)
    return recorded


def turned_by(degrees):
    """A camera so turned that the scene looks turned clockwise."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return lambda time, place: place @ np.array([[cosine, -sine], [sine, cosine]])


@pytest.mark.parametrize("degrees", [15, -25])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (HEIGHT, HEIGHT), (64, 160)])
def test_rotated_pixels_have_rotated_vectors(plain, tmp_path, degrees, size):
    """Also where the view is squashed, which makes of a rotation one with shear."""
    spec = SPEC.model_copy(update={"height": size[0], "width": size[1], "squash": True})
    camera = turned_by(degrees)
    found = prepared(read(tmp_path / "turned.mp4", film(camera)), spec)
    made = rotated(prepared(plain, spec), degrees, aspect=(size[1] / WIDTH) / (size[0] / HEIGHT))
    rows = (np.arange(size[0]) + 0.5) * HEIGHT / size[0]
    columns = (np.arange(size[1]) + 0.5) * WIDTH / size[1]
    where = inside(camera)[:, rows.astype(int)][:, :, columns.astype(int)]
    assert where.sum() > 500
    assert mean(made, where) == pytest.approx(mean(found, where), abs=NEAR)
    assert mean(made, where) != pytest.approx(mean(prepared(plain, spec), where), abs=2 * NEAR)
    middle = np.s_[:, :, size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4]
    assert np.corrcoef(made.image[middle].ravel(), found.image[middle].ravel())[0, 1] > 0.98


def test_a_mirrored_view_has_the_vectors_of_mirrored_pixels(plain, tmp_path):
    found = prepared(read(tmp_path / "mirrored.mp4", [picture[:, ::-1].copy() for picture in film()]))
    made = prepared(plain, view=View(0, 0, 1, 1, flip=True))
    where = inside()[:, :, ::-1]
    assert mean(made, where) == pytest.approx((-VELOCITY[0], VELOCITY[1]), abs=NEAR)
    assert mean(found, where) == pytest.approx(mean(made, where), abs=NEAR)


def test_a_smaller_view_has_the_vectors_of_enlarged_pixels(plain, tmp_path):
    def near(time, place):
        return place / 1.25

    found = prepared(read(tmp_path / "near.mp4", film(near)))
    made = prepared(plain, view=View(0.1, 0.1, 0.8, 0.8))
    assert mean(made, inside(near)) == pytest.approx([1.25 * each for each in VELOCITY], abs=NEAR)
    assert mean(found, inside(near)) == pytest.approx(mean(made, inside(near)), abs=NEAR)


def test_played_twice_as_fast_every_other_picture_is_left(tmp_path, plain):
    times = list(range(0, COUNT, 2))
    found = prepared(read(tmp_path / "fast.mp4", film(times=times)))
    made = faster(prepared(plain), 2.0)
    where = inside()
    seen = where[[time - 1 for time in times[1:]]]
    assert mean(made, where) == pytest.approx([2 * each for each in VELOCITY], abs=2 * NEAR)
    assert mean(found, seen) == pytest.approx(mean(made, where), abs=2 * NEAR)
    assert np.array_equal(made.residual, prepared(plain).residual)


PAN, ZOOM = np.array([-1.0, 0.75]), 0.02
"""The camera of the next tests: content moves by `PAN` pixels and grows by `ZOOM` a picture."""


def moving(time, place):
    return (place - PAN * (time - COUNT / 2)) / (1 + ZOOM * (time - COUNT / 2))


def of_camera():
    """(T, 2, 3) of `moving`: a place p was, a picture before, where scene and camera then put it."""
    motion = np.zeros((COUNT - 1, 2, 3))
    for time in range(1, COUNT):
        now, before = 1 + ZOOM * (time - COUNT / 2), 1 + ZOOM * (time - 1 - COUNT / 2)
        growth = 1 - before / now
        shift = PAN * (time - COUNT / 2) * before / now - PAN * (time - 1 - COUNT / 2)
        motion[time - 1, :, 0] = shift
        motion[time - 1, 0, 1] = motion[time - 1, 1, 2] = growth
    return motion


def test_an_added_camera_moves_vectors_as_one_that_moves(plain, tmp_path):
    found = prepared(read(tmp_path / "moving.mp4", film(moving)))
    made = with_camera(prepared(plain), of_camera())
    ground = ~inside(moving, rim=-16) & ~inside(rim=-16)
    ground[:, :, :16] = ground[:, :, -16:] = ground[:, :16] = ground[:, -16:] = False  # what comes in has no reference
    off = np.abs(made.motion - found.motion).max(axis=1)
    assert ground.sum() > 10000
    assert np.median(off[ground]) < 0.1 and np.mean(off[ground] < 0.5) > 0.95
    both = inside(moving) & inside()
    assert mean(made, both) == pytest.approx(mean(found, both), abs=0.2)  # the square grows and shrinks by a tenth too


def test_a_removed_camera_leaves_what_moves_by_itself(tmp_path):
    moved = prepared(read(tmp_path / "moving.mp4", film(moving)))
    made = without_camera(moved)
    ground = ~inside(moving, rim=-16)
    ground[:, :, :16] = ground[:, :, -16:] = ground[:, :16] = ground[:, -16:] = False
    assert np.abs(moved.motion).max(axis=1)[ground].mean() > 1
    assert np.median(np.abs(made.motion).max(axis=1)[ground]) < 0.125  # half of a quarter pixel
    assert mean(made, inside(moving)) == pytest.approx(VELOCITY, abs=0.2)


def test_what_a_still_camera_films_stays(plain):
    """A quarter of the picture moves by itself and takes nothing along."""
    clip = prepared(plain)
    assert np.abs(without_camera(clip).motion - clip.motion).max() < 0.05


def test_brighter_pixels_are_brighter_images(plain, tmp_path):
    def bright(picture):
        return np.clip((picture / 255.0 - 0.5) * 0.7 + 0.6, 0, 1) * 255

    found = prepared(read(tmp_path / "bright.mp4", [bright(picture).astype(np.uint8) for picture in film()]))
    clip = prepared(plain)
    made = lit(clip, 0.1, 0.7, SPEC)
    assert np.abs(made.image - found.image).mean() < 0.03  # levels of 1/255 are 0.017 of the deviation
    assert np.abs(clip.image - found.image).mean() > 0.3
    assert np.array_equal(made.motion, clip.motion)
    assert np.allclose(made.residual, clip.residual * 0.7)
