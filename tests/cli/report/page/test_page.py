"""The page of any report: well formed, whole, escaped, small; whatever names it holds, however many classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from edgecvar.cli.report.page.charts import Curve
from edgecvar.cli.report.page.page import render, write_page
from edgecvar.cli.report.page.pictures import ClipPictures
from edgecvar.cli.report.page.report import Curves, Fact, Report, ShownClip, Split, SplitRow, Timing
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.errors import ConfigError
from edgecvar.judge.outcomes import Moment, Outcomes, outcomes
from edgecvar.judge.sources import ScoredSource, compare_sources
from tests.cli.report.page.parsed_page import ParsedPage

HOSTILE = "<script>alert(1)</script>\"'&amp; onload=x \x1b[31m\n\u202e</title></style>"
LARGEST = 2_000_000
"""Bytes."""


def results(labels: List[str], clips: int, seed: int = 0) -> List[ClipScore]:
    """Clips of every class in turn with random scores, their own label's the best of half of them."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(clips):
        label = number % len(labels)
        scores = rng.normal(size=len(labels))
        scores[label] += 6 * (number % 2)
        found.append(ClipScore(Clip(Path(f"data/{labels[label]}") / f"clip_{number}.mp4", labels[label]), scores))
    return found


def judged(labels: List[str], clips: int) -> Outcomes:
    return outcomes(labels, results(labels, clips))


def full(labels: List[str], clips: int) -> Report:
    """A report with all of its sections."""
    found = judged(labels, clips)
    pictures = ClipPictures(b"image", b"motion", b"residual", 0.4, (240, 160))
    curves = [Curve("train", [(1, 2.5), (2, 1.5)]), Curve("validation", [(1, 2.4), (2, 2.1)])]
    top1 = [Curve("train", [(1, 0.25), (2, 0.5)]), Curve("validation", [(1, 0.2), (2, 0.4)])]
    return Report(
        title=f"attp on {labels[0]}",
        facts=[Fact("top-1", "50.0%", "of clips")],
        advice=["More clips."],
        curves=Curves(curves, top1, 2, 0.25),
        outcomes=found,
        outcomes_of="The clips",
        sources=compare_sources(labels, [ScoredSource(name, results(labels, clips)) for name in ("x", labels[0])]),
        timing=Timing([Moment(0.5, 0.25, 8), Moment(1.0, 0.5, 0)], "All clips.", 0.25),
        hardest=[
            *(ShownClip(hard, pictures) for hard in found.hardest[:-1]),
            *(ShownClip(hard, None, "no pictures: gone") for hard in found.hardest[-1:]),
        ],
        split=Split([SplitRow(label, 3, 1) for label in labels], [("data", labels[0])], [labels[0]]),
        recipe=f"model: attp\ndata: {labels[0]}\n",
        environment={"python": "3.11"},
    )


def test_every_section_is_there_once_and_the_page_is_well_formed() -> None:
    page = ParsedPage(render(full(["left", "right", "still"], 12)))
    assert page.of("h2") == [
        *("Sources side by side", "What to try next", "Curves", "Confusion matrix", "Classes"),
        *("How soon it is right", "How far probabilities can be believed", "The hardest clips", "Which clips"),
        *("Recipe", "Made with"),
    ]
    assert page.count("svg") == 4
    assert [attributes["lang"] for tag, attributes in page.tags if tag == "html"] == ["en"]
    assert any("default-src 'none'" in str(attributes.get("content")) for tag, attributes in page.tags if tag == "meta")


def test_a_browser_is_given_no_scheme_to_follow() -> None:
    document = render(full(["left", "right"], 8))
    assert "http:" not in document and "https:" not in document and "//" not in document.split("base64,")[0]


def test_names_are_text_wherever_they_stand() -> None:
    labels = [HOSTILE, f"{HOSTILE} 2", "plain"]
    report = replace(full(labels, 12), advice=[HOSTILE], environment={HOSTILE: HOSTILE}, outcomes_of=HOSTILE)
    page = ParsedPage(render(report))
    raw = [sign for sign in render(report) if not (sign.isprintable() or sign == "\n")]
    assert raw == []
    assert "<script>alert(1)</script>" in page.text and "\\u202e" in page.text
    assert page.of("title")[0].startswith("attp on <script>alert(1)</script>\"'&amp; onload=x \\x1b[31m\\n")


def test_the_matrix_has_true_classes_in_rows() -> None:
    labels = ["left", "right"]
    scores = [("left", 0), ("left", 1), ("left", 1), ("right", 1)]
    found = outcomes(labels, [ClipScore(Clip(Path("x.mp4"), label), np.eye(2)[to]) for label, to in scores])
    page = ParsedPage(render(Report("x", [], outcomes=found)))
    cells = [data for inside, data in page.texts if inside == "td"][:4]
    assert cells == ["1", "2", ".", "1"]
    looks = [attributes.get("class") for tag, attributes in page.tags if tag == "td"][:4]
    assert looks == ["right", "wrong", "none", "right"]


@pytest.mark.parametrize("classes", [40, 41, 400, 3000])
def test_very_many_classes_make_no_huge_page(classes: int) -> None:
    labels = [f"class_{number} {'long ' * 50}" for number in range(classes)]
    document = render(full(labels, 2 * classes))
    page = ParsedPage(document)
    assert len(document.encode()) < LARGEST
    assert (page.count("img") > 21) == (classes > 40)
    matrix = [attributes for tag, attributes in page.tags if attributes.get("class") == "large-matrix"]
    assert len(matrix) == (classes > 40)


def test_without_validation_there_are_curves_split_and_recipe() -> None:
    bare = replace(full(["left", "right"], 8), outcomes=None, timing=None, hardest=(), sources=())
    top1 = [Curve("train", [(1, 0.25)]), Curve("validation", [])]
    page = ParsedPage(render(replace(bare, curves=Curves([Curve("train", [(1, 2.5)]), Curve("v", [])], top1, 1, 0.5))))
    assert page.of("h2") == ["What to try next", "Curves", "Which clips", "Recipe", "Made with"]
    assert "nan" not in page.text.lower() and page.count("svg") == 2


def test_clips_of_which_none_was_decided_are_listed() -> None:
    nothing = [ClipScore(Clip(Path("a.mp4"), "a"), None), ClipScore(Clip(Path("b.mp4"), "b"), None, "b.mp4: broken")]
    page = ParsedPage(render(Report("x", [], outcomes=outcomes(["a", "b"], nothing))))
    assert "1 clips without an answer, 1 unreadable" in page.text and "broken" in page.text
    assert page.count("svg") == 0


def test_long_runs_are_drawn_with_few_points_and_end_where_they_end() -> None:
    points = [(float(epoch), 1 / epoch) for epoch in range(1, 5001)]
    curves = Curves([Curve("train", points)], [Curve("train", points)], 5000, 0.5)
    page = ParsedPage(render(Report("x", [], curves=curves)))
    lines = [attributes["points"].split() for tag, attributes in page.tags if tag == "polyline"]
    assert all(100 < len(line) <= 401 for line in lines)
    assert all(line[-1].startswith("456.0,") and line[0].startswith("58.0,") for line in lines)


def test_a_page_appears_whole_or_says_why_not(tmp_path: Path, monkeypatch: Any) -> None:
    write_page(tmp_path / "page.html", Report("x", []))
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render(Report("x", []))
    with pytest.raises(ConfigError, match=r"none/page\.html: cannot be written"):
        write_page(tmp_path / "none" / "page.html", Report("x", []))
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
