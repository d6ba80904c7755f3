from __future__ import annotations

import pytest

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.train.augment.settings import Augment, Reencode, check_input, check_labels
from edgecvar.train.recipe import parse_recipe
from tests.small_recipe import SMALL


def augment(*overrides: str) -> Augment:
    return parse_recipe(f"{SMALL}data: x\n", overrides).views.augment


def test_everything_is_off_unless_asked_for() -> None:
    plain = augment()
    assert plain == Augment.model_validate({})
    off = {False, (1.0, 1.0), None}
    values = {key: value for key, value in plain if key not in ("mirror", "mirror_never", "camera")}
    assert all(value in off for value in values.values())
    assert (plain.camera.pan, plain.camera.zoom, plain.mirror, plain.mirror_never) == (0, 0, [], [])


@pytest.mark.parametrize(
    "override, says",
    [
        ("augment.speed=[2, 1]", r"augment.speed: got \[2.0, 1.0\], expected \[low, high\]"),
        ("augment.gain=[0.1, 1]", "augment.gain"),
        ("augment.rotation=90", "augment.rotation"),
        ("augment.camera.pen=1", "did you mean 'pan'"),
        ("augment.mirror=[[left]]", "augment.mirror"),
        ("augment.mirror=[[left, right], [right, up]]", "'right' is in them twice"),
        ("augment.mirror_never=[tick, tick]", "'tick' is in them twice"),
        ("augment.reencode.crf=[18, 60]", r"augment.reencode.crf: got \[18, 60\]"),
        ("augment.reencode.codecs=[vp9]", "augment.reencode.codecs"),
        ("augment.reencode.codecs=[]", "augment.reencode.codecs"),
        ("augment.reencode.variants=0", "augment.reencode.variants"),
        ("augment.reencode.variant=2", "did you mean 'variants'"),
    ],
)
def test_what_is_wrong_is_named(override: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        augment(override)


def test_hevc_is_a_codec_that_is_asked_for() -> None:
    reencode = augment("augment.reencode.codecs=[h264, hevc, mpeg4]").reencode
    assert reencode is not None and reencode.codecs == ["h264", "hevc", "mpeg4"]
    assert Reencode().codecs == ["h264", "mpeg4"]


def test_reencoding_is_asked_for_with_any_of_its_keys() -> None:
    reencode = augment("augment.reencode.variants=2").reencode
    assert reencode is not None and (reencode.variants, reencode.crf) == (2, (18, 36))


@pytest.mark.parametrize("override", ["augment.camera.pan=1", "augment.camera.zoom=0.01", "augment.gop_phase=0.5"])
def test_accumulated_vectors_are_not_changed_by_what_needs_their_age(override: str) -> None:
    check_input(augment(override), InputSpec())
    check_input(augment("augment.rotation=5", "augment.steady=1"), InputSpec(accumulate=True))
    with pytest.raises(ConfigError, match=r"augment\.(camera|gop_phase).*accumulate=false"):
        check_input(augment(override), InputSpec(accumulate=True))


def test_mirror_images_are_classes_of_the_run() -> None:
    named = augment("augment.mirror=[[left, right]]", "augment.mirror_never=[still]")
    check_labels(named, ["left", "right", "still"])
    with pytest.raises(ConfigError, match=r"augment.mirror: unknown class 'left'.*'lift'"):
        check_labels(named, ["lift", "right", "still"])
    with pytest.raises(ConfigError, match=r"augment.mirror_never: unknown class 'still'"):
        check_labels(named, ["left", "right"])


def test_the_saved_recipe_says_the_same() -> None:
    recipe = parse_recipe(
        f"{SMALL}data: x\n",
        ["augment.mirror=[[left, right]]", "augment.camera.pan=0.5", "augment.reencode.crf=[20, 30]"],
    )
    assert parse_recipe(recipe.to_yaml()) == recipe
    assert recipe.views.augment.mirror == [("left", "right")]
