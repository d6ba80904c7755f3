"""Published files of weights: what is said where one is missing or another, and that docs/weights.md has them all."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import Callable, Set

import pytest

from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, load_recipe
from edgecvar.train.start.checks import resolve
from edgecvar.train.start.shipped import find_recipe
from edgecvar.train.weights.imagenet import PACKAGES
from edgecvar.train.weights.known_files import FILES, check_known, known_file
from edgecvar.train.weights.published import IMAGENET
from edgecvar.train.weights.sources import weights_file

pytestmark = pytest.mark.train

TOP = Path(__file__).resolve().parents[3]
PAGE = (TOP / "docs" / "weights.md").read_text(encoding="utf-8")
FILE = re.compile(r"[\w.-]+\.(?:pth\.tar|pth)\b")
ADDRESS = "https://download.pytorch.org/models/"


def wanted() -> Set[str]:
    """The files of weights that recipes name, wherever they do."""
    return {name for path in TOP.glob("recipes/*/*.yaml") for name in FILE.findall(path.read_text(encoding="utf-8"))}


def test_every_file_that_a_recipe_names_is_on_the_page_and_known() -> None:
    assert {"resnet50.pth", "resnet18.pth", "resnet152.pth", "efficientnet_b0.pth"} <= wanted()
    for name in wanted():
        known = known_file(Path(name))
        assert known is not None, name
        for published in known.published or (name,):
            assert published in PAGE, name


def test_every_published_file_is_on_the_page_with_its_address() -> None:
    for each in FILES:
        assert each.address in PAGE, each.what
        for name in each.published:
            assert f"`{name}`" in PAGE and re.fullmatch(each.pattern, name)
    assert all(package in PAGE for package in PACKAGES.values())


def test_what_the_page_calls_a_file_is_known() -> None:
    names = {name for name in FILE.findall(PAGE) if not name.startswith("efficientnet-lite")}
    assert names and [name for name in names if known_file(Path(name)) is None] == []


def test_the_commands_of_the_page_are_right() -> None:
    commands = re.findall(r"^edgecvar train (.+?)(?<!\\)$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(commands) == 7
    started = 0
    for command in commands:
        name, *overrides = shlex.split(command.replace("\\\n", " "), comments=True)
        if "/" in name:  # a recipe, not a folder
            weights = resolve(load_recipe(find_recipe(name), overrides)).network.weights
            files = [file for each in (weights.values() if isinstance(weights, dict) else [weights]) for file in each]
            assert files == [IMAGENET] or all(known_file(Path(file)) is not None for file in files), files
            started += len(files)
    assert started == 11


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet50.pth", f"it is torchvision's ResNet-50, learnt from ImageNet, at {ADDRESS}resnet50-0676ba61.pth"),
        ("resnet50-11ad3fa6.pth", f"at {ADDRESS}resnet50-11ad3fa6.pth: docs/weights.md"),
        ("efficientnet_b0.pth", f"at {ADDRESS}efficientnet_b0_rwightman-7f5810bc.pth"),
        ("efficientnet_b1_rwightman.pth", f"at {ADDRESS}efficientnet_b1_rwightman-bac287d4.pth"),
        (
            "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e50.pth",
            "models/TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e50.pth: docs/weights.md",
        ),
        ("mobilenetv2_jester_online.pth.tar", "tsm/models/mobilenetv2_jester_online.pth.tar"),
        ("_flow_model_best.pth.tar", "at https://dl.fbaipublicfiles.com/dmc-net/models.zip: docs/weights.md"),
        ("mine.pth", "no such file to start from; docs/weights.md lists published ones"),
        ("resnet50_finetuned.pth", "no such file to start from"),
    ],
)
def test_a_missing_file_is_said_to_be_what_its_name_says(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        weights_file(str(tmp_path / name))
    assert str(caught.value).startswith(f"{tmp_path / name}: no such file") and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_what_its_name_says_or_named_so(tmp_path: Path) -> None:
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    right, wrong, other = (
        tmp_path / f"{name}.pth" for name in (f"resnet18-{digits}", "resnet18-f37072fd", "mine-f37072fd")
    )
    for file in (right, wrong, other, tmp_path / "resnet18.pth"):
        file.write_bytes(b"weights")
    for file in (right, other, tmp_path / "resnet18.pth"):  # a name without a hash may be anybody's
        assert weights_file(str(file)) == file
    with pytest.raises(ConfigError, match=rf"sha256 begins with {digits} and its name says f37072fd"):
        weights_file(str(wrong))


def test_a_name_that_torchvision_had_wrong_is_taken_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """efficientnet_b0_rwightman-3dd342df.pth was served with the bytes that are now called 7f5810bc."""
    old = tmp_path / "efficientnet_b0_rwightman-3dd342df.pth"
    old.write_bytes(b"")
    hashes = {old: "7f5810bc" + 56 * "0"}
    monkeypatch.setattr("edgecvar.train.weights.known_files.sha256_of", hashes.__getitem__)
    check_known(old)
    hashes[old] = 64 * "0"
    with pytest.raises(ConfigError, match="begins with 00000000"):
        check_known(old)


def test_a_run_says_so_before_it_looks_for_clips(small: Callable[..., Recipe], tmp_path: Path) -> None:
    gone = f"data={tmp_path}/nowhere"
    for weights in (f"weights=[{tmp_path}/resnet18.pth]", f"weights={{motion: [{tmp_path}/resnet18.pth]}}"):
        with pytest.raises(ConfigError, match=r"resnet18\.pth: no such file; it is torchvision's ResNet-18"):
            start_run(small(gone, weights), tmp_path / "runs", Listener())
    with pytest.raises(EdgecvarError, match="nowhere"):
        start_run(small(gone), tmp_path / "runs", Listener())
    assert not (tmp_path / "runs").exists()
