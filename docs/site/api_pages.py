"""The page of the public face, made of its docstrings without importing what it describes."""

from __future__ import annotations

from typing import Dict, Tuple

import edgecvar

PARTS: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "Running": ("A bundle, what it runs on, and what comes out.", ("load", "Model", "Run", "Decision", "RunSummary")),
    "Reading": (
        "What a video is made of, picture by picture.",
        ("open_stream", "Stream", "StreamInfo", "StreamSummary", "CodedPicture", "Break"),
    ),
    "What a picture has": ("Vectors, weights and residual.", ("MotionField", "PredictionWeights", "Residual")),
    "When it cannot be used": ("One line: what, where, got and expected, what to do next.", ("EdgecvarError",)),
}
INTRODUCTION = """# Python API

`import edgecvar` gives what stands here, and nothing else is promised to stay. [From Python](python.md) has whole
scripts, the [glossary](glossary.md) the words."""


def api_page() -> str:
    """A section a part of the face; raises ValueError where one of its names has no section."""
    homes: Dict[str, str] = edgecvar._HOMES
    named = [name for _, names in PARTS.values() for name in names]
    if sorted(named) != sorted(homes):
        raise ValueError(f"docs/site/api_pages.py: has {sorted(named)}, and edgecvar has {sorted(homes)}")
    sections = [INTRODUCTION]
    for title, (sentence, names) in PARTS.items():
        sections.append(f"## {title}\n\n{sentence}")
        sections += [f"::: edgecvar.{homes[name]}.{name}" for name in names]
    return "\n\n".join(sections)
