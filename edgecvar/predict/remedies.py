"""What to change so that a bundle is fast enough, each change alone, the one that gains most first."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, List, Tuple

from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError
from edgecvar.predict.case import Case
from edgecvar.predict.engines import StageWork, resized, stage_works
from edgecvar.predict.prediction import Remedy, RemedyKind
from edgecvar.predict.published.catalog import network
from edgecvar.predict.work import Layer

SMALLER = 0.75
"""Of an input's sides."""
SMALLEST_SIDE = 96
"""Of an input that may be made smaller still."""
LONG_GOP = 50.0
BATCH = 4
BACKBONE = "efficientnet_lite0"
"""The backbone that is suggested in place of a larger one: no squeeze-and-excitation, ReLU6, quantises well."""
LARGER = 1.5
"""Times the multiply-adds of BACKBONE that a stage has where a smaller backbone is worth suggesting."""
LEAST_GAIN = 1.03

ORDER: Tuple[RemedyKind, ...] = ("precision", "features", "batch", "stride", "size", "backbone")
"""What costs least first: no accuracy, then time resolution, then training again."""

Change = Tuple[str, RemedyKind, Case]
"""What is changed, its kind, and the case that it makes."""


def remedies(case: Case) -> List[Remedy]:
    """Every change that gains something, ranked."""
    before = case.rate().likely
    found = []
    for change, kind, changed in _changes(case):
        rate = changed.rate().likely
        if rate >= LEAST_GAIN * before:
            found.append(Remedy(change=change, kind=kind, pictures_per_second=rate, gain=rate / before))
    return sorted(found, key=lambda remedy: -remedy.gain)


def enough(case: Case, goal: float) -> List[Remedy]:
    """Few changes that together reach so many pictures a second, one after the other; all there are if none do."""
    taken: List[Remedy] = []
    kinds: List[RemedyKind] = []
    start = now = case.rate().likely
    while now < goal:
        options = [(changed.rate().likely, change, kind, changed) for change, kind, changed in _changes(case)]
        options = [each for each in options if each[2] not in kinds and each[0] >= LEAST_GAIN * now]
        if not options:
            break
        reaching = [each for each in options if each[0] >= goal]
        now, change, kind, case = min(reaching, key=_cost) if reaching else max(options, key=lambda each: each[0])
        kinds.append(kind)
        taken.append(Remedy(change=change, kind=kind, pictures_per_second=now, gain=now / start))
    return taken


def _cost(option: Tuple[float, str, RemedyKind, Case]) -> int:
    return ORDER.index(option[2])


def _changes(case: Case) -> Iterator[Change]:
    yield from _precisions(case)
    if 2 * case.every <= LARGEST_STRIDE:
        yield (
            f"sample one of {2 * case.every} pictures (--every {2 * case.every})",
            "stride",
            replace(case, every=2 * case.every),
        )
    spec = case.bundle.manifest.input
    if min(spec.height, spec.width) * SMALLER >= SMALLEST_SIDE:
        works = tuple(replace(work, layers=resized(work.layers, SMALLER)) for work in case.works)
        changed = replace(case, works=works, side=case.side * SMALLER)
        yield f"train on inputs of {_size(changed)} in place of {_size(case)}", "size", changed
    yield from _backbones(case)
    gop = case.gop or case.counts.gop
    if gop < LONG_GOP and any(work.spec.cadence == "gop" for work in case.works):
        changed = replace(case, gop=LONG_GOP)
        yield f"let the camera send an I-picture every {LONG_GOP:g} pictures (now {gop:.3g})", "features", changed
    if case.streams > 1 and case.batch == 1:
        rows = min(BATCH, case.streams)
        yield (
            f"put the pictures of {rows} streams through together (--together, build --max-batch {rows})",
            "batch",
            replace(case, batch=rows),
        )


def _precisions(case: Case) -> Iterator[Change]:
    there = case.target.device.precisions
    for precision in there[there.index(case.precision) + 1 :]:
        try:
            works = stage_works(case.bundle, precision, case.target)
        except ConfigError:
            continue
        changed = replace(case, precision=precision)
        as_changed = tuple(_as_changed(changed, work) for work in works)
        yield f"run in {precision} (--precision {precision})", "precision", replace(changed, works=as_changed)


def _as_changed(case: Case, work: StageWork) -> StageWork:
    """A stage of the bundle with what the case has in place of it."""
    if work.spec.name in case.exchanged:
        return replace(work, layers=_backbone(case, work))
    return work if case.side == 1 else replace(work, layers=resized(work.layers, case.side))


def _size(case: Case) -> str:
    spec = case.bundle.manifest.input
    return f"{round(spec.width * case.side)} x {round(spec.height * case.side)}"


def _backbones(case: Case) -> Iterator[Change]:
    """A smaller backbone in every stage that has a much larger one."""
    works: List[StageWork] = []
    named: List[str] = []
    for work in case.works:
        smaller = _smaller(case, work)
        works.append(replace(work, layers=smaller) if smaller else work)
        if smaller:
            named.append(work.spec.name)
    if named:
        yield (
            f"train with EfficientNet-Lite0 as the backbone of {', '.join(named)} at {_size(case)}",
            "backbone",
            replace(case, works=tuple(works), exchanged=(*case.exchanged, *named)),
        )


def _smaller(case: Case, work: StageWork) -> List[Layer]:
    layers = _backbone(case, work)
    adds = sum(layer.multiply_adds for layer in work.layers)
    return layers if adds > LARGER * sum(layer.multiply_adds for layer in layers) else []


def _backbone(case: Case, work: StageWork) -> List[Layer]:
    """BACKBONE on a stage's input; nothing where that is no picture alone."""
    shapes = [tuple(each.shape) for each in work.spec.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        return []
    channels, height, width = shapes[0]
    layers = network(BACKBONE, case.precision, (channels, height, width))
    return layers if case.side == 1 else resized(layers, case.side)
