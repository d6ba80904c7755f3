"""`edgecvar models` lists every network with what its paper says, counted anew."""

from __future__ import annotations

import importlib.util
import json

import pytest

from edgecvar.clips.spec import PREPARED

COUNTED = {}
"""The document of each command line, which takes seconds to make."""


@pytest.fixture
def surveyed(edgecvar):
    pytest.importorskip("torch", reason="the device half has no torch")

    def run(*arguments: str):
        if arguments not in COUNTED:
            code, out, err = edgecvar("models", *arguments, "--json")
            assert (code, err) == (0, "")
            COUNTED[arguments] = {model["model"]: model for model in json.loads(out)["models"]}
        return COUNTED[arguments]

    return run


@pytest.fixture
def names():
    pytest.importorskip("torch", reason="the device half has no torch")
    from edgecvar.nets.catalog import NETWORKS

    return list(NETWORKS)


@pytest.mark.train
def test_every_network_says_what_it_is(surveyed, names):
    models = surveyed()
    assert list(models) == names
    for name, model in models.items():
        assert model["paper"] and model["verified"], name
        assert model["inputs"] == [each for each in PREPARED if each in model["inputs"]] != []
        assert model["parameters"] == sum(stage["parameters"] for stage in model["stages"]), name
        assert model["multiply_adds"] == sum(stage["runs"] * stage["multiply_adds"] for stage in model["stages"]), name
        assert model["stages"][-1]["output_shape"] == [model["classes"]], name


@pytest.mark.train
def test_a_printed_figure_holds_or_says_why_not(surveyed):
    for name, model in surveyed().items():
        for figure in model["figures"]:
            difference = abs(figure["counted"] / figure["paper"] - 1)
            assert figure["holds"] == (difference <= figure["tolerance"])
            assert figure["holds"] or figure["note"], f"{name}: {figure}"


@pytest.mark.train
def test_the_figures_by_name(surveyed):
    found = {
        (figure["name"], figure["quantity"]): figure for model in surveyed().values() for figure in model["figures"]
    }
    for key, paper, tolerance in (
        (("ATTP", "parameters"), 23.4e6, 0.01),
        (("ATTP", "multiply_adds"), 3.0e9, 0.03),
        (("DMC generator", "multiply_adds"), 0.23e9, 0.01),
    ):
        assert found[key]["paper"] == paper
        assert found[key]["counted"] == pytest.approx(paper, rel=tolerance)


@pytest.mark.train
def test_the_table_and_the_markdown_say_the_same(edgecvar, names):
    code, table, _ = edgecvar("models", "attp", "dmc")
    assert code == 0
    code, markdown, _ = edgecvar("models", "attp", "dmc", "--markdown")
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line]
    assert code == 0 and rows[2][0] == "attp" and rows[3][0] == "dmc"
    assert {len(row) for row in rows[:1] + rows[2:4]} == {8} and rows[1] == ["---|---|---|---|---:|---:|---|---"]
    for cell in ("Huo et al. 2020", "23.4 M", "3.07 G", "+2.2%", "0.229 G", "appearance (a GOP)"):
        assert cell in markdown and cell in table
    assert "\\n" not in table  # what parts two commands must not be escaped as a stranger's text is
    assert "edgecvar ablate hmdb51/attp; edgecvar" in table


@pytest.mark.train
def test_one_network_alone_and_a_wrong_name(edgecvar, surveyed):
    assert list(surveyed("attp")) == ["attp"]
    code, out, err = edgecvar("models", "atpt")
    assert (code, out) == (1, "") and err.count("\n") == 1 and "did you mean 'attp'" in err


@pytest.mark.train
def test_inspect_counts_what_models_counts(edgecvar, surveyed):
    for name, model in surveyed().items():
        code, out, _ = edgecvar("inspect", name, "--json")
        document = json.loads(out)
        assert code == 0 and document["parameters"] == model["parameters"], name
        assert document["multiply_adds"] == model["multiply_adds"], name
        assert document["input"] == model["input"] and document["classes"] == model["classes"], name


@pytest.mark.train
def test_inspect_shows_each_part(edgecvar, names):
    code, table, _ = edgecvar("inspect", "dmc", "--set", "network.i3d=i3d_resnet50", "--set", "network.segments=4")
    assert code == 0 and "224 x 224" in table
    for part in ("appearance", "cue", "conv5", "classifier"):
        assert part in table


@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["inspect", "attp"]])
def test_without_torch_one_line_says_what_to_install(edgecvar, monkeypatch, arguments):
    find = importlib.util.find_spec
    monkeypatch.setattr("edgecvar.errors.find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest))
    code, out, err = edgecvar(*arguments)
    assert (code, out) == (1, "") and err.count("\n") == 1 and "pip install 'edgecvar[train]'" in err


def test_json_and_markdown_are_one_or_the_other(edgecvar):
    code, _, err = edgecvar("models", "--json", "--markdown")
    assert code == 2 and "one or the other" in err
