"""Every name of TensorRT that our sources use is there, with that signature, in each version that they use it for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from tests.contracts.bindings import VERSIONS, why_not
from tests.contracts.fake_tensorrt import RECORDED, surface_of
from tests.contracts.surface import Signature, Surface
from tests.contracts.usage import Use, scan

PACKAGE = Path(__file__).resolve().parents[2] / "edgecvar"
GENERATIONS = {RECORDED: "8.2", "8.6.1": "8.5", "10.3.0": "10", "10.16.1": "10", "11.4.0": "11"}


def sources(module: str = "tensorrt") -> Dict[str, str]:
    """Every file of the package that imports `module` or a file of ours that does, by its path in the package."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    imports = re.compile(rf"^\s*(import|from) ({module}|edgecvar\.runners\.tensorrt\.(\w+))\b", re.MULTILINE)
    return {file: text for file, text in texts.items() if imports.search(text)}


@pytest.fixture(params=GENERATIONS)
def surface(request: pytest.FixtureRequest) -> Surface:
    version = str(request.param)
    reason = why_not(version) if version in VERSIONS else None
    if reason is not None:
        pytest.skip(reason)
    return surface_of(version)


def found(surface: Surface, texts: Dict[str, str]) -> List[str]:
    return scan(texts, "tensorrt", surface, GENERATIONS[surface.version]).problems


def misspelt(texts: Dict[str, str], use: Use) -> Dict[str, str]:
    """The sources with one name in one place wrong."""
    lines = texts[use.file].encode().split(b"\n")
    line = lines[use.line - 1]
    lines[use.line - 1] = line[: use.column] + b"mis" + line[use.column :]
    return {**texts, use.file: b"\n".join(lines).decode()}


def test_what_our_sources_use_is_there(surface: Surface) -> None:
    assert found(surface, sources()) == []


def test_tensorrt_is_imported_as_the_scan_can_follow() -> None:
    text = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    imports = {line.strip() for line in text.splitlines() if re.match(r"\s*(import|from) tensorrt", line)}
    assert imports == {"import tensorrt as trt"}
    assert not re.search(r"""(import_module|__import__)\(["']tensorrt""", text)


@pytest.mark.parametrize("surface", [RECORDED, "10.3.0"], indirect=True)
def test_one_wrong_name_anywhere_is_found(surface: Surface) -> None:
    texts = sources()
    uses = scan(texts, "tensorrt", surface, GENERATIONS[surface.version]).uses
    names = {use.name for use in uses}
    assert {"Builder", "OnnxParser", "Runtime", "parse", "build_serialized_network", "deserialize_cuda_engine"} <= names
    first = {use.name: use for use in sorted(uses, key=lambda use: (use.file, use.line), reverse=True)}
    before = found(surface, texts)
    missed = [name for name, use in first.items() if found(surface, misspelt(texts, use)) == before]
    assert missed == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("config.set_flag(flags=trt.BuilderFlag.TF32)", "no free parameter 'flags'"),
        ("config.set_flag()", "missing flag"),
        ("config.set_flag(trt.BuilderFlag.TF32, 1)", "2 arguments, takes 1"),
        ("config.set_flag(trt.DeviceType.GPU)", "flag is no BuilderFlag"),
        ("config.set_flag(trt.BuilderFlag.TF33)", "BuilderFlag has no 'TF33'"),
        ("config.flagz = 1", "IBuilderConfig has no property 'flagz' to set"),
        ("config.num_optimization_profiles = 1", "no property 'num_optimization_profiles' to set"),
        ("config.get_timing_cache().serialise()", "ITimingCache has no 'serialise'"),
        ("[each for each in [config]][0].set_flagged()", "IBuilderConfig has no 'set_flagged'"),
        ("trt.ICudaEngine()", "ICudaEngine has no constructor"),
        ("thing.build_serialized_network()", "cannot tell whose 'build_serialized_network' this is"),
        ("config.set_flag(*[trt.BuilderFlag.TF32])", "cannot check a call with * or **"),
    ],
)
def test_a_wrong_use_is_told(surface: Surface, wrong: str, said: str) -> None:
    text = f"import tensorrt as trt\ndef build(config: trt.IBuilderConfig, thing):\n    {wrong}\n"
    problems = found(surface, {"wrong.py": text})
    assert problems and said in problems[0] and problems[0].startswith("wrong.py:3: ")


def test_a_class_is_checked_for_its_generations_alone() -> None:
    text = """
import tensorrt as trt
class Old:
    GENERATIONS = ("8.2",)
    def run(self, context: trt.IExecutionContext):
        context.execute_async_v2([1], 2)
class New:
    GENERATIONS = ("8.5", "10", "11")
    def run(self, context: trt.IExecutionContext):
        context.execute_async_v3(2)
"""
    assert found(surface_of(RECORDED), {"both.py": text}) == []
    assert len(scan({"both.py": text}, "tensorrt", surface_of(RECORDED), "8.5").problems) == 1


def shape_of(signature: Signature, surface: Surface) -> Tuple[object, ...]:
    """The names and kinds of the parameters, which of them are required, and the kind of what is returned."""
    parameters = [(each.name, surface.known(each.kind) or each.kind, each.required) for each in signature.parameters]
    return (*parameters, surface.known(signature.returns) or signature.returns)


def test_the_recorded_list_agrees_with_the_nearest_real_version() -> None:
    reason = why_not("8.6.1")
    if reason is not None:
        pytest.skip(reason)
    old, new = surface_of(RECORDED), surface_of("8.6.1")
    differences, compared = [], 0
    for name, described in old.classes.items():
        if name not in new.classes:
            differences.append(name)
            continue
        later = new.classes[name]
        differences += [f"{name}.{key}" for key, value in described.members.items() if later.members.get(key) != value]
        differences += [
            f"{name}.{key}"
            for key, attribute in described.attributes.items()
            if key not in later.attributes or later.attributes[key].settable != attribute.settable
        ]
        for method, signatures in described.methods.items():
            if method in ("__enter__", "__exit__"):  # Python functions, which tell no signature
                continue
            compared += 1
            there = [shape_of(each, new) for each in later.methods.get(method, [])]
            here = [shape_of(each, old) for each in signatures]
            differences += [f"{name}.{method}: {each}, there {there}" for each in here if each not in there]
    assert compared > 100
    assert differences == []
