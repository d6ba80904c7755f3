"""A bundle's types by precision and generation."""

from __future__ import annotations

from collections import Counter

import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError
from edgecvar.predict.typing.survey import survey_types
from tests.predict.typing.bundles import HALF, swish_bundle
from tests.predict.typing.written import swish_chain

FULL = swish_chain(3, "fp32")


def rows(path):
    return {(each.precision, each.typing): each for each in survey_types(open_bundle(path))}


def counts(types):
    return Counter(node.type for node in types.nodes)


def test_each_generation_gets_its_file_and_its_typing(tmp_path):
    found = rows(swish_bundle(tmp_path, {"fp16": HALF, "int8": FULL, "typed": swish_chain(3, "fp16")}))
    assert {key: each.generations for key, each in found.items()} == {
        ("fp16", "weak"): ("8.2", "8.5"),
        ("fp16", "strong"): ("10", "11"),
        ("int8", "weak"): ("8.5", "10"),
        ("int8", "strong"): ("11",),
    }
    for typing in ("weak", "strong"):
        assert counts(found["fp16", typing]) == {"fp16": 1, "fp32": 1}
        assert [node.name for node in found["fp16", typing].named("fp32")] == ["sum"]
        assert counts(found["int8", typing]) == {"int8": 3, "fp16": 6}
    assert all(each.unasked == () and each.mismatches == () for each in found.values())


def test_an_older_bundle_runs_all_around_int8_in_fp32_on_11_and_it_is_seen(tmp_path):
    found = rows(swish_bundle(tmp_path, {"fp16": HALF, "int8": FULL}))
    assert counts(found["int8", "strong"]) == {"int8": 3, "fp32": 6}
    assert len(found["int8", "strong"].unasked) == 6 and found["int8", "weak"].unasked == ()


def test_without_fp16_what_flags_leave_in_fp32_is_seen(tmp_path):
    found = rows(swish_bundle(tmp_path, {"int8": FULL, "typed": swish_chain(3, "fp16")}))
    assert set(found) == {("int8", "weak"), ("int8", "strong")}
    assert len(found["int8", "weak"].unasked) == 4 and found["int8", "strong"].unasked == ()


def test_what_is_no_onnx_file_is_named(tmp_path):
    path = swish_bundle(tmp_path, {"fp16": b"none"})
    with pytest.raises(BundleError, match=r"s\.fp16\.onnx: its types cannot be read: .*compile the bundle again"):
        survey_types(open_bundle(path))
