"""The network of docs/add-a-network.md is added as that page says, learns, compiles and verifies."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator

import onnx
import pytest
import yaml

from edgecvar.bundle.manifest import open_bundle
from edgecvar.cli.verify import torch_reference
from edgecvar.compile.bundle import compile_bundle
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.onnx.operators import unsupported
from edgecvar.compile.plan import plan_compilation
from edgecvar.judge.verify import VerifyConfig, verify
from edgecvar.nets import catalog
from edgecvar.train.recipe import recipe_of
from edgecvar.train.start.checks import resolve
from tests import small_networks

pytestmark = pytest.mark.train

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-network.md"


def blocks() -> Dict[str, str]:
    """The page's blocks of code by the file that their first line names."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return dict(found)


def module(file: str) -> ModuleType:
    """A block as the module that its file would be."""
    made = ModuleType(file[: -len(".py")].replace("/", "."))
    exec(compile(blocks()[file], f"{PAGE.name}: {file}", "exec"), made.__dict__)
    return made


def entries(file: str, names: Dict[str, Any]) -> Dict[str, Any]:
    """A block of `"name": value,` as the part of a dictionary that it is."""
    found: Dict[str, Any] = eval("{" + blocks()[file] + "}", dict(names))
    return found


@pytest.fixture
def added() -> Iterator[None]:
    """The network in the catalog and among the small forms, as long as the test runs."""
    duo = module("edgecvar/nets/duo.py")
    entry = entries("edgecvar/nets/catalog.py", {**vars(catalog), **vars(duo)})
    small = entries("tests/small_networks.py", vars(small_networks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, duo.__name__, duo)
        for name in entry:
            patch.setitem(catalog.NETWORKS, name, entry[name])
            patch.setitem(small_networks.SMALL, name, small[name])
        yield


def test_the_page_has_every_file() -> None:
    files = ["edgecvar/nets/duo.py", "edgecvar/nets/catalog.py", "recipes/synth/duo.yaml", "tests/small_networks.py"]
    assert list(blocks()) == [*files, "tests/nets/test_duo.py"]


@pytest.mark.usefixtures("added")
def test_its_recipe_and_its_own_test_pass() -> None:
    recipe = resolve(recipe_of(yaml.safe_load(blocks()["recipes/synth/duo.yaml"])))
    assert recipe.network.model == "duo" and recipe.network.options["weight"] == 0.3
    tests = [test for name, test in vars(module("tests/nets/test_duo.py")).items() if name.startswith("test_")]
    assert len(tests) == 1
    for test in tests:
        test()


@pytest.mark.usefixtures("added")
def test_it_learns_compiles_and_verifies(synthetic: Path, tmp_path: Path) -> None:
    learnt = small_networks.learn_by_heart("duo", synthetic, tmp_path / "duo.pt")
    assert learnt.before < 0.5 and learnt.after == 1.0
    config = CompileConfig(
        checkpoint=learnt.checkpoint,
        data=synthetic,
        output=tmp_path / "duo.edgecvar",
        precision=frozenset({"fp32", "fp16", "int8"}),
        max_drop=None,
        search_samples=6,
    )
    bundle = open_bundle(compile_bundle(plan_compilation(config)).bundle.path)
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    assert [stage.name for stage in bundle.manifest.stages] == ["appearance", "motion", "fuse"]
    assert [unsupported(onnx.load(str(bundle.stage_file(stage.name)))) for stage in bundle.manifest.stages] == [[]] * 3
    document = {"runners": "torch,onnx", "data": synthetic, "checkpoint": learnt.checkpoint, "samples": 8, "threads": 1}
    checked = VerifyConfig.model_validate(document)
    verification = verify(bundle, checked, lambda file: torch_reference(bundle, file))
    failures = {result.precision: result.failures(untrained=False) for result in verification.results}
    assert failures == {"fp32": [], "fp16": [], "int8": []}
