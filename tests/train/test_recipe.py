from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecvar.errors import ConfigError
from edgecvar.train.ablation import load_ablation
from edgecvar.train.recipe import PARTS, first_outside, load_recipe, override_keys, parse_recipe

pytestmark = pytest.mark.train

TEXT = "model: attp\ndata: clips\ninput: {height: 64}\n"


def test_overrides_reach_any_depth_and_keep_what_stands_beside_them() -> None:
    recipe = parse_recipe(TEXT, ["epochs=3", "input.width=48", "network.fusion=i", "augment.scale=[0.8, 1]"])
    assert recipe.course.epochs == 3
    assert (recipe.network.input.height, recipe.network.input.width) == (64, 48)
    assert recipe.network.options == {"fusion": "i"}
    assert recipe.views.augment.scale == (0.8, 1.0)


def test_values_are_yaml_and_plain_numbers_may_name_folders() -> None:
    recipe = parse_recipe(TEXT, ["skip_unreadable=true", "validation=", "lr=1e-3", "data=2024"])
    assert recipe.data.skip_unreadable is True
    assert recipe.data.validation is None
    assert recipe.descent.lr == 1e-3
    assert recipe.data.source == "2024"


def test_an_ablation_is_sent_to_the_verb_that_takes_it() -> None:
    with pytest.raises(ConfigError, match=r"edgecvar ablate table\.yaml"):
        parse_recipe("recipe: attp.yaml\nrows: {I: {network.fusion: i}}\n", (), "table.yaml")


def test_the_resolved_copy_reads_back_as_the_same_recipe() -> None:
    recipe = parse_recipe(TEXT, ["network.backbone.width=0.5", "validation_pattern=_1[1-9]"])
    assert parse_recipe(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["epoch=3"], "unknown key 'epoch': did you mean 'epochs'?"),
        (["input.hieght=3"], "unknown key 'hieght' in 'input': did you mean 'height'?"),
        (["augment.flop=true"], "unknown key 'flop' in 'augment': did you mean 'flip'?"),
        (["input.height=3"], "input.height"),
        (["augment.scale=[2, 1]"], "augment.scale: got [2.0, 1.0], expected [low, high]"),
        (["validation_pattern=("], "validation_pattern: not a regular expression"),
        (["model.width=3"], "'model' holds one value"),
        (["epochs"], "expected key=value"),
        (["=3"], "expected key=value"),
        (["network=[1"], "not YAML"),
        (["data="], "data"),
    ],
)
def test_what_is_wrong_is_named(overrides: list, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_recipe(TEXT, overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["cache_gib=1e308", f"seed={1 << 64}", f"threads={1 << 31}"])
def test_numbers_beyond_what_computes_with_them_are_refused(wrong: str) -> None:
    key, _, _ = wrong.partition("=")
    with pytest.raises(ConfigError, match=f"recipe: {key}: Input should be less than "):
        parse_recipe("model: attp\ndata: clips", [wrong])


@pytest.mark.parametrize(("text", "said"), [("- a", "got list"), ("a: [", "not YAML"), ("model: attp", "'data'")])
def test_a_text_that_is_no_recipe_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_recipe(text)


@pytest.mark.parametrize("wrong", [b"network.fus\xabion=i", b"data=clips/caf\xe9"])
def test_what_is_no_text_is_refused(wrong: bytes) -> None:
    """It could not be read again as the run's folder has it."""
    with pytest.raises(ConfigError, match=r"half a character|unacceptable character"):
        parse_recipe("model: attp\ndata: clips", [os.fsdecode(wrong)])


BOMB = "a: &a [x, x, x, x]\n" + "".join(f"n{n}: &n{n} [{', '.join([f'*n{n - 1}'] * 9)}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB.replace("a: &a", "n0: &n0"), "with its aliases written out"),
        (f"input: &a {{height: 32}}\nnetwork: {{<<: [{', '.join(['*a'] * 20_000)}]}}", "with its aliases written out"),
        ("model: &a [*a]", "an alias stands in what it stands for"),
        ("data: " + "[" * 50_000, "inside each other"),
        ("- " * 50_000, "inside each other"),
        ("data: x\n" * 20_000, "longer than"),
        ("data: x\ndata: y", "key 'data' is given twice"),
        ("lr: .nan", ".nan is no number"),
        ("lr: 1.0e+999", "1.0e+999 is no number"),
        ("seed: " + "9" * 100_000, "too large a number"),
        ("seed: 1" + ":59" * 30_000, "too large a number"),
        ("skip_unreadable: !!bool perhaps", "not YAML"),
        ("seed: !!int ''", ""),
        ('model: "\\UFFFFFFFF"', "not YAML"),
        ('data: "\\uDCAB"', "half a character"),
        ("model: !!binary aaaa", "not YAML"),
        ("model: !!python/object/apply:os.getcwd []", "not YAML"),
        ("{[a]: b}", "not YAML"),
        ("model: attp\ndata: x\nepochs: 2001-13-45", "epochs"),
    ],
)
def test_a_hostile_text_is_one_short_error_at_once(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_recipe(text)
    assert said in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_aliases_and_dates_that_mean_something_are_taken() -> None:
    stated = "model: attp\ndata: 2001-01-01\nnetwork: {motion: &s {width: 0.25}, residual: *s, c: {<<: *s, d: 1}}"
    recipe = parse_recipe(stated)
    assert recipe.data.source == "2001-01-01"
    assert recipe.network.options["residual"] == {"width": 0.25}
    assert recipe.network.options["c"] == {"width": 0.25, "d": 1}


@pytest.mark.parametrize(("written", "seed"), [("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("1:30", 90)])
def test_a_whole_number_may_be_written_in_any_way_of_yaml(written: str, seed: int) -> None:
    assert parse_recipe(f"model: attp\ndata: clips\nseed: {written}").views.seed == seed


def test_a_recipe_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\x7fELF\xff\xfe")
    for file, said in (
        (tmp_path / "pipe", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "binary", "not UTF-8"),
        (tmp_path, "not a regular file"),
    ):
        for load in (load_recipe, load_ablation):
            with pytest.raises(ConfigError) as caught:
                load(file)
            assert said in str(caught.value) and str(file) in str(caught.value)


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot read the recipe"):
        load_recipe(tmp_path / "nothing.yaml")


def test_every_field_has_a_word_in_the_docstring() -> None:
    obvious = {"model", "network", "input", "epochs", "batch", "seed", "augment", "device", "weight_decay"}
    obvious |= {"warmup_epochs", "label_smoothing", "validation_segments", "skip_unreadable"}
    for part in PARTS.values():
        keys = set(part.document_keys()) - obvious
        assert [key for key in keys if f"`{key}`" not in (part.__doc__ or "")] == []


def test_the_document_has_every_key_once() -> None:
    keys = [key for part in PARTS.values() for key in part.document_keys()]
    assert sorted(keys) == sorted(set(keys)) == sorted(parse_recipe(TEXT).document())
    assert {"data", "network", "lr", "validation_pattern", "cache_gib"} <= set(keys)


def test_override_keys_are_whole() -> None:
    assert override_keys(["data=x", " input.height =3"]) == ["data", "input.height"]


def test_the_first_override_outside_what_is_allowed_is_found() -> None:
    """A key with all that is in it, or one key of a part alone."""
    allowed = ("data", "test", "split.files")
    assert first_outside(["data=x", "test.clips=3", "test={}", "split.files=y"], allowed) is None
    for wrong in ("lr=1", "split.number=2", "split={files: y}", "dat=x", "database=x", "files=y"):
        assert first_outside(["data=x", wrong, "seed=1"], allowed) == wrong
