"""Every name of pycuda and of CUDA's driver library that our sources use is there, with that signature."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Dict, List

import pytest

from tests.contracts.surface import Surface, recorded
from tests.contracts.test_tensorrt_contract import misspelt, sources
from tests.contracts.usage import scan

HERE = Path(__file__).resolve().parent
MODULE = "pycuda.driver"
DRIVER = json.loads((HERE / "cuda_driver.json").read_text("utf-8"))["functions"]


@pytest.fixture(scope="module")
def surface() -> Surface:
    return recorded(HERE / "pycuda.json")


def test_what_our_sources_use_is_there(surface: Surface) -> None:
    assert scan(sources("pycuda"), MODULE, surface).problems == []


def test_pycuda_is_imported_as_the_scan_can_follow() -> None:
    text = "\n".join(sources("pycuda").values())
    imports = {line.strip() for line in text.splitlines() if re.match(r"\s*(import|from) pycuda", line)}
    assert imports == {"import pycuda.driver as driver"}


def test_one_wrong_name_anywhere_is_found(surface: Surface) -> None:
    texts = sources("pycuda")
    found = scan(texts, MODULE, surface)
    assert {"Device", "Context", "Stream", "Event", "mem_alloc"} <= {use.name for use in found.uses}
    missed = [use for use in found.uses if scan(misspelt(texts, use), MODULE, surface).problems == found.problems]
    assert missed == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("driver.mem_alloc()", "missing arg1"),
        ("driver.mem_alloc(arg1=1)", "no free parameter 'arg1'"),
        ("driver.memcpy_htod_async(1, host, queue=stream)", "no free parameter 'queue'"),
        ("driver.Context.pop(1)", "1 arguments, takes 0"),
        ("driver.event_flags.NO_TIMING", "event_flags has no 'NO_TIMING'"),
        ("stream.wait_for_event(stream)", "arg2 is no Event"),
        ("driver.Event().recorded(stream)", "Event has no 'recorded'"),
    ],
)
def test_a_wrong_use_is_told(surface: Surface, wrong: str, said: str) -> None:
    text = f"import pycuda.driver as driver\ndef copy(host, stream: driver.Stream):\n    {wrong}\n"
    problems = scan({"wrong.py": text}, MODULE, surface).problems
    assert problems and said in problems[0] and problems[0].startswith("wrong.py:3: ")


def driver_calls(texts: Dict[str, str]) -> List[str]:
    """What is wrong with the calls into the driver library: unknown functions, and numbers of arguments."""
    wrong = []
    for node in (node for text in texts.values() for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Attribute) and re.match("cu[A-Z]", node.attr) and node.attr not in DRIVER:
            wrong.append(f"no {node.attr}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRIVER:
            expected = len(DRIVER[node.func.attr])
            given = len(node.args) + len(node.keywords)
            wrong += [f"{node.func.attr}: {given} arguments, takes {expected}"] if given != expected else []
    return wrong


def test_calls_into_the_driver_library_have_its_arguments() -> None:
    texts = sources("pycuda")
    assert driver_calls(texts) == []
    called = {name for name in DRIVER if any(f".{name}(" in text for text in texts.values())}
    assert "cuGraphLaunch" in called
    for name in called:
        changed = {file: text.replace(f".{name}(", f".{name}(0, ") for file, text in texts.items()}
        assert driver_calls(changed) != []
        changed = {file: text.replace(f".{name}(", f".{name}_v9(") for file, text in texts.items()}
        assert driver_calls(changed) != []
