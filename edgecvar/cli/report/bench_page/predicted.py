"""What was predicted, in words: for which device, how fast, how sure, and what would make it faster."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from edgecvar.cli.report.bench_page.amounts import figure, span
from edgecvar.cli.report.page.elements import Markup, element, plain_list, section, short, table
from edgecvar.cli.report.predicted.prediction import most_cameras, published_watts, verdict
from edgecvar.predict.prediction import Prediction, Remedy

PLAINLY = "A prediction, not a measurement: nothing of it was run on such a device."
BESIDE = "A prediction, made before and apart from what was measured here."
LISTED = 100
"""Remedies, notes and sessions at most."""
TYPING = {"weak": "chosen by TensorRT (weak)", "strong": "those of the graph (strong)", "none": ""}


def prediction_section(prediction: Prediction, beside: Optional[Markup] = None) -> Markup:
    """`beside`: a table that holds it against a session."""
    return section(
        f"Prediction for {short(prediction.title)}",
        element("p", PLAINLY if beside is None else BESIDE, class_="note"),
        beside,
        plain_list(_facts(prediction)),
        _remedies(prediction),
        element("h3", "What it leaves out") if prediction.notes else None,
        element("ul", [element("li", note) for note in prediction.notes[:LISTED]]) if prediction.notes else None,
    )


def _facts(prediction: Prediction) -> List[Tuple[str, str]]:
    stream, rate = prediction.stream, prediction.pictures_per_second
    streams = "one stream" if prediction.streams == 1 else f"{prediction.streams} streams"
    decoder = {"hardware": "in hardware", "software": "in software", "none": "not needed"}[prediction.host.decoder]
    facts = [
        ("device", f"{prediction.title} ({prediction.device}), {prediction.precision}"),
        ("types", TYPING[prediction.typing]),
        (
            "for",
            f"{streams} of {stream.width} x {stream.height} at {stream.fps:.4g} a second, 1 of {stream.every} sampled",
        ),
        ("stream", f"{short(stream.name)}: a GOP of {stream.gop:.3g}, {stream.megabits_per_second:.3g} Mbit/s"),
        ("pictures a second", f"{figure(rate.likely)}, from {span(rate)}"),
        ("a sampled picture", f"{figure(prediction.sample_ms.likely)} ms of stages, from {span(prediction.sample_ms)}"),
        ("cameras", f"{most_cameras(prediction)} of 25 pictures a second at most, likely; memory is not reckoned"),
        ("for these streams", verdict(prediction)),
        ("bottleneck", prediction.bottleneck),
        ("I-pictures decoded", decoder),
    ]
    watts = published_watts(prediction)
    if watts:
        facts.append(("watts", f"unknown at this load; published is {short(watts)}"))
    facts.append(("fitted on", _fitted(prediction)))
    if prediction.calibrated:
        facts.append(("corrected by", ", ".join(short(each) for each in prediction.calibrated[:LISTED])))
    return [(name, text) for name, text in facts if text]


def _fitted(prediction: Prediction) -> str:
    if not prediction.fitted_on:
        return "no published figure"
    error = prediction.median_error
    unseen = "" if error is None else f"; median error on such that it had not seen: {error:.0%}"
    return f"{prediction.fitted_on} published figures{unseen}"


def _remedies(prediction: Prediction) -> Optional[Markup]:
    if not (prediction.remedies or prediction.enough):
        return None
    ranked = sorted(prediction.remedies, key=lambda remedy: -remedy.gain)[:LISTED]
    parts: List[Markup] = []
    if ranked:
        parts += [element("h3", "What would make it faster, each change alone"), _gains(ranked, "gain")]
    if prediction.goal is not None:
        parts += [element("h3", f"To the goal of {prediction.goal:g} pictures a second"), _towards(prediction)]
    return element("div", parts)


def _towards(prediction: Prediction) -> Markup:
    goal = prediction.goal or 0.0
    if prediction.pictures_per_second.likely >= goal:
        return element("p", "It is likely to be that fast as it is.")
    if not prediction.enough:
        return element("p", "No change that is known here gains anything.")
    reached = prediction.enough[-1].pictures_per_second >= goal
    text = (
        "One after the other, these are likely to be enough:" if reached else "All of these together do not reach it:"
    )
    return element("div", element("p", text), _gains(prediction.enough[:LISTED], "gain by then"))


def _gains(remedies: Sequence[Remedy], title: str) -> Markup:
    rows = [
        (f"{number}. {short(remedy.change)}", f"{remedy.gain:.2f} x", figure(remedy.pictures_per_second))
        for number, remedy in enumerate(remedies, 1)
    ]
    return table(("change", title, "pictures a second"), rows, (0,))
