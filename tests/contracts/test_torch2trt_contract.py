"""Our call of torch2trt fits its signature, as it is and as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import List

import pytest

from tests.contracts.surface import Surface, parse_signatures, recorded
from tests.contracts.test_tensorrt_contract import PACKAGE, misspelt
from tests.contracts.usage import scan

RECORD = Path(__file__).with_name("torch2trt.json")
SOURCE = "compile/torch2trt.py"


@pytest.fixture(params=["functions", "before"])
def surface(request: pytest.FixtureRequest) -> Surface:
    texts: List[str] = json.loads(RECORD.read_text("utf-8"))[request.param]
    return replace(recorded(RECORD), functions={"torch2trt": parse_signatures(texts[0], bound=False)})


def test_our_call_fits(surface: Surface) -> None:
    texts = {SOURCE: (PACKAGE / SOURCE).read_text("utf-8")}
    found = scan(texts, "torch2trt", surface)
    assert found.problems == []
    assert {use.name for use in found.uses} == {"torch2trt", "engine"}
    assert all(scan(misspelt(texts, use), "torch2trt", surface).problems for use in found.uses)


@pytest.mark.parametrize(
    "keyword", ["input_names", "output_names", "fp16_mode", "max_batch_size", "max_workspace_size", "keep_network"]
)
def test_a_wrong_keyword_is_found(surface: Surface, keyword: str) -> None:
    text = (PACKAGE / SOURCE).read_text("utf-8")
    changed = text.replace(f"                {keyword}=", f"                un{keyword}=")
    assert changed != text
    assert f"no free parameter 'un{keyword}'" in scan({SOURCE: changed}, "torch2trt", surface).problems[0]
