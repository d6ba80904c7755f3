"""What is sent: of a bundle all but its engines, of wheels those that suit the device."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from edgecvar import __version__
from edgecvar.bundle.manifest import MANIFEST, open_bundle
from edgecvar.deploy.parcel import find_wheels, fits, folder_name, release_files
from edgecvar.errors import ConfigError
from tests.tiny_bundle import tiny_bundle

ORIN = ((3, 10), "aarch64")


@pytest.mark.parametrize(
    ("name", "suits"),
    [
        ("edgecvar-0.1.0-cp310-cp310-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", True),
        ("edgecvar-0.1.0-cp310-cp310-manylinux_2_17_x86_64.whl", False),
        ("edgecvar-0.1.0-cp311-cp311-manylinux_2_17_aarch64.whl", False),
        ("edgecvar-0.1.0-cp310-cp310t-manylinux_2_17_aarch64.whl", False),
        ("click-8.1.8-py3-none-any.whl", True),
        ("six-1.0-py2.py3-none-any.whl", True),
        ("old-1.0-py2-none-any.whl", False),
        ("crypto-1.0-1-cp38-abi3-manylinux_2_28_aarch64.whl", True),
        ("nonsense.whl", False),
    ],
)
def test_wheels_are_told_apart_by_their_tags(name: str, suits: bool) -> None:
    assert fits(name, *ORIN) is suits


def wheels(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_of_a_folder_those_go_that_suit(tmp_path: Path) -> None:
    own = [f"edgecvar-{__version__}-cp{minor}-cp{minor}-manylinux_2_17_aarch64.whl" for minor in (38, 310, 312)]
    wheels(tmp_path, *own, "edgecvar-0.0.1-cp310-cp310-manylinux_2_17_aarch64.whl", "click-8.1-py3-none-any.whl")
    wheels(tmp_path, "numpy-2.0-cp312-cp312-manylinux_2_17_aarch64.whl", f"edgecvar-{__version__}.tar.gz")
    found = find_wheels(tmp_path, *ORIN)
    assert (found.own, sorted(found.parts)) == (own[1], ["click-8.1-py3-none-any.whl", own[1]])
    assert found.version == __version__ and found.tag(False).startswith(f"{__version__}-")
    other = wheels(tmp_path / "..", own[1]) / own[1]
    other.write_bytes(b"another build")
    assert find_wheels(other, *ORIN).tag(False) != found.tag(False)
    (tmp_path / "click-8.1-py3-none-any.whl").write_bytes(b"another build")
    beside = find_wheels(tmp_path, *ORIN)
    assert beside.tag(False) == found.tag(False) and beside.tag(True) != found.tag(True)
    assert find_wheels(None, *ORIN).tag(False) == f"{__version__}-index"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], r"no wheel of edgecvar for Python 3.10 on aarch64 \(nothing\)"),
        (["edgecvar-0.1.0-cp310-cp310-linux_x86_64.whl"], "no wheel .*x86_64"),
        (["edgecvar-8-cp310-cp310-linux_aarch64.whl", "edgecvar-9-cp310-cp310-linux_aarch64.whl"], "more than one"),
    ],
)
def test_a_folder_that_has_not_the_one_is_an_error(tmp_path: Path, names: List[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find_wheels(wheels(tmp_path, *names), *ORIN)


def test_engines_stay_here_and_the_key_goes_along(tmp_path: Path) -> None:
    root = tiny_bundle(tmp_path)
    bundle = open_bundle(root)
    (root / "engines" / "sm87").mkdir(parents=True)
    (root / "engines" / "sm87" / "a.engine").write_bytes(b"of this machine")
    (root / f"{MANIFEST}.minisig").write_text("signed")
    key = tmp_path / "me.pub"
    key.write_text("key")
    files = release_files(bundle, "tiny.edgecvar", key)
    assert {name for name in files if "/onnx/" not in name} == {
        "tiny.edgecvar/manifest.json",
        "tiny.edgecvar/manifest.json.minisig",
        "trust.pub",
    }
    assert {name.rpartition("/")[2] for name in files if "/onnx/" in name} == {
        Path(name).name for name in bundle.manifest.sha256
    }


@pytest.mark.parametrize(("name", "plain"), [("tiny.edgecvar", "tiny.edgecvar"), ("ein Tür\n", "ein_T_r_.edgecvar")])
def test_a_folder_on_the_device_has_a_plain_name(tmp_path: Path, name: str, plain: str) -> None:
    root = tiny_bundle(tmp_path)
    assert folder_name(open_bundle(root.rename(tmp_path / name))) == plain
