"""Folders of labelled clips, and clips that show several classes in turn: plan, render, encode, list."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Dict, Generator, List, Optional, Sequence, Set, Tuple

import numpy as np

from edgecvar.errors import DatasetError
from edgecvar.files import check_writable, whole_file
from edgecvar.synth.classes import LABELS
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import CONTAINERS, Canvas, ClipPlan, draw_plan, draw_sequence
from edgecvar.synth.render import render
from edgecvar.workers import starting, worker_pool


@dataclass(frozen=True)
class Fixed:
    """What of the encoding and the canvas is not drawn but given; None leaves the draw.

    `codecs`: one, or several to draw from; whichever it is, nothing else of a plan changes but an AVI file into MP4.
    """

    gop_length: Optional[int] = None
    b_pictures: Optional[int] = None
    crf: Optional[int] = None
    size: Optional[Tuple[int, int]] = None
    fps: Optional[Fraction] = None
    codecs: Tuple[str, ...] = ()

    def apply(self, plan: ClipPlan) -> ClipPlan:
        """The plan with the given values; `size` is (width, height)."""
        width, height = self.size or (plan.canvas.width, plan.canvas.height)
        drawn = plan.encoding
        codec = self._codec(plan)
        encoding = dataclasses.replace(
            drawn,
            codec=codec,
            container=drawn.container if codec == "mpeg4" else "mp4",
            gop_length=drawn.gop_length if self.gop_length is None else self.gop_length,
            b_pictures=drawn.b_pictures if self.b_pictures is None else self.b_pictures,
            crf=drawn.crf if self.crf is None else self.crf,
        )
        return dataclasses.replace(plan, canvas=Canvas(width, height, self.fps or plan.canvas.fps), encoding=encoding)

    def _codec(self, plan: ClipPlan) -> str:
        if not self.codecs:
            return plan.encoding.codec
        # Apart from the plan's own generator, so that it draws what it always drew.
        return self.codecs[int(np.random.default_rng(plan.look.seed).integers(len(self.codecs)))]


@dataclass(frozen=True)
class Request:
    """A folder to fill: `clips` in all, spread evenly over the classes; clip i depends on (seed, i) alone."""

    folder: Path
    clips: int
    seed: int
    jobs: int = 1
    force: bool = False
    fixed: Fixed = field(default_factory=Fixed)


@dataclass(frozen=True)
class Written:
    """One clip that is in place: `path` relative to the folder."""

    index: int
    path: str
    plan: ClipPlan


def plan_clip(request: Request, index: int) -> ClipPlan:
    """The plan of one clip of a folder."""
    label = LABELS[index % len(LABELS)]
    return request.fixed.apply(draw_plan(label, np.random.default_rng([request.seed, index])))


def write_clip(request: Request, index: int) -> Written:
    """Render and encode one clip of a folder."""
    plan = plan_clip(request, index)
    label = plan.acts[0].label
    path = request.folder / label / f"{label}_{index:05d}.{plan.encoding.container}"
    encode(path, render(plan), plan.canvas, plan.encoding)
    for container in CONTAINERS:
        # Written by force over another seed's clips: a clip has one file, whatever it was before.
        if path.suffix != f".{container}":
            path.with_suffix(f".{container}").unlink(missing_ok=True)
    return Written(index, f"{label}/{path.name}", plan)


def write_clips(request: Request, on_clip: Callable[[Written], None] = lambda written: None) -> List[Written]:
    """Fill a folder and list it in clips.csv and clips.jsonl; DatasetError if it is not empty and not forced."""
    folder = request.folder
    check_folder(request)
    for label in LABELS[: request.clips]:
        (folder / label).mkdir(parents=True, exist_ok=True)
    clips = []
    with closing(_in_processes(request) if request.jobs > 1 else _in_turn(request)) as source:
        for written in source:
            clips.append(written)
            on_clip(written)
    clips.sort(key=lambda written: written.index)
    _drop_others(folder, clips)
    _write_lists(folder, request.seed, clips)
    return clips


def check_folder(request: Request) -> None:
    """DatasetError if the folder is a file, or holds anything and is not forced."""
    folder = request.folder
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file; expected a folder to fill, or --sequence to write one clip")
    if folder.is_dir() and any(folder.iterdir()) and not request.force:
        raise DatasetError(f"{folder}: is not empty; name a new folder, or use --force to write into this one")
    check_writable(folder)


def write_sequence(
    path: Path, labels: Sequence[str], pictures: Optional[int], seed: int, fixed: Optional[Fixed] = None
) -> ClipPlan:
    """Write one clip that shows several classes in turn, `pictures` each or a drawn number; H.264 if not given."""
    plan = draw_sequence(labels, pictures, np.random.default_rng([seed]))
    plan = (fixed or Fixed()).apply(plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, render(plan), plan.canvas, plan.encoding)
    return plan


def _in_turn(request: Request) -> Generator[Written, None, None]:
    for index in range(request.clips):
        yield write_clip(request, index)


def _in_processes(request: Request) -> Generator[Written, None, None]:
    """Clips as they are done; whatever stops this waits for the clips under way, so every file is whole."""
    pool = worker_pool(request.jobs)
    pending: Set[Future[Written]] = set()
    indices = iter(range(request.clips))
    try:
        while True:
            # Few at a time: a Ctrl-C then has little to wait for.
            while len(pending) < 2 * request.jobs and (index := next(indices, None)) is not None:
                with starting():
                    pending.add(pool.submit(write_clip, request, index))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=True)


def describe(written: Written, seed: int) -> Dict[str, Any]:
    """One line of clips.jsonl: where the clip is, its seed and index, and everything that was drawn."""
    label = written.plan.acts[0].label
    drawn = dataclasses.asdict(written.plan)
    return {"path": written.path, "label": label, "seed": seed, "index": written.index, "plan": drawn}


def _drop_others(folder: Path, clips: Sequence[Written]) -> None:
    """Remove clips of an earlier filling: a folder that is trained on holds what its lists say, and no more."""
    paths = {written.path for written in clips}
    for label in LABELS:
        for file in (folder / label).glob(f"{label}_[0-9][0-9][0-9][0-9][0-9].*"):
            if file.suffix[1:] in CONTAINERS and f"{label}/{file.name}" not in paths:
                file.unlink()


def _write_lists(folder: Path, seed: int, clips: Sequence[Written]) -> None:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label"])
    rows.writerows([written.path, written.plan.acts[0].label] for written in clips)
    lines = [json.dumps(describe(written, seed), default=_plain) + "\n" for written in clips]
    for name, text in (("clips.csv", table.getvalue()), ("clips.jsonl", "".join(lines))):
        with whole_file(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"clips.jsonl: cannot write a {type(value).__name__}")
