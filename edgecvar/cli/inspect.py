"""`edgecvar inspect`: what a video's bitstream, or a network, is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import click

if TYPE_CHECKING:
    from rich.console import Console

    from edgecvar.nets.cost.complexity import NetworkCost
    from edgecvar.stream.anatomy import Anatomy

STRIP_LIMIT = 2000
"""Pictures that the strip draws at most; a longer stream is cut, and says so."""

COLOURS = {"I": "bold white on red", "P": "black on cyan", "B": "black on bright_black"}


@click.command("inspect")
@click.argument("subject")
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw I-picture, motion and residual (PNG).")
@click.option("--at", type=click.IntRange(min=0), help="Decode index of the picture to draw [default: the middle].")
@click.option("--classes", type=click.IntRange(min=1), help="A network's classes [default: the paper's].")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A network's or its input's option.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    subject: str,
    picture: Optional[Path],
    at: Optional[int],
    classes: Optional[int],
    settings: Tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what SUBJECT is made of: a video file, or a network by name (`edgecvar models` lists them).

    A video: codec, how its vectors are extracted, GOPs as a strip of I, P and B in display order, statistics of
    vectors and residuals. A network: parameters and multiply-adds of each part, at the paper's size unless --set
    says otherwise (network.fusion=mv, input.height=112).
    """
    if Path(subject).exists() or "." in subject or "/" in subject:
        _inspect_video(subject, picture, at, as_json)
    else:
        if picture is not None or at is not None:
            raise click.UsageError("--picture and --at want a video")
        _inspect_network(subject, classes, settings, as_json)


def _inspect_video(path: str, picture: Optional[Path], at: Optional[int], as_json: bool) -> None:
    from edgecvar.stream.anatomy import anatomy
    from edgecvar.stream.reader import open_stream

    with open_stream(path) as stream:
        structure = anatomy(stream)
    if as_json:
        import json

        click.echo(json.dumps(_video_document(structure)))
    else:
        from rich.console import Console

        _print_video(path, structure, Console())
    if picture is not None:
        from edgecvar.cli.report.portrait import draw_portrait

        drawn = draw_portrait(path, picture, at)
        click.echo(f"drawn: {picture} (picture {drawn.decode_index}, {drawn.kind})", err=True)


def _video_document(structure: Anatomy) -> Dict[str, Any]:
    from dataclasses import asdict

    document = asdict(structure)
    document["info"]["fps"] = float(structure.info.fps)
    document["info"]["time_base"] = str(structure.info.time_base)
    return document


def _print_video(path: str, structure: Anatomy, console: Console) -> None:
    info, summary = structure.info, structure.summary
    console.print(path, style="bold", markup=False, highlight=False)
    size = f"{info.width} x {info.height}"
    if (info.coded_width, info.coded_height) != (info.width, info.height):
        size += f" (coded {info.coded_width} x {info.coded_height})"
    turned = f", turned {info.rotation} degrees" if info.rotation else ""
    rows = [
        ("codec", f"{info.codec}, {size}{turned}"),
        ("rate", f"{float(info.fps):.5g} pictures/s, {structure.seconds:.2f} s from first to last picture"),
        ("extraction", f"{info.extraction}: {info.extraction_note}" if info.extraction_note else info.extraction),
        ("pictures", ", ".join(f"{count} {kind}" for kind, count in structure.counts.items()) + _key_note(structure)),
        ("GOP", _gop_note(structure.gop_lengths)),
    ]
    if structure.motion is not None:
        m = structure.motion
        rows += [
            ("vectors", f"mean {m.mean_speed:.2f}, p99 {m.p99_speed:.2f} pixels a frame; references exact in "
             f"{m.exact:.0%} of {m.pictures} P and B pictures"),
            ("blocks", f"{m.intra:.1%} intra, {m.still:.1%} still, {m.backward:.1%} from the future, "
             f"{m.bipredicted:.1%} bi-predicted, {m.weighted:.1%} weighted"),
        ]  # fmt: skip
    if structure.residual is not None:
        r = structure.residual
        rows.append(
            ("residual", f"{r.zero:.1%} of samples zero, mean |r| {r.mean_absolute:.2f}, largest {r.largest} "
             f"({r.pictures} pictures sampled)")
        )  # fmt: skip
    if structure.residual_note:
        rows.append(("residual", structure.residual_note))
    rows.append(("skipped", _counted(summary.skipped, summary.reasons)))
    if summary.damaged:
        rows.append(("damaged", _counted(summary.damaged, summary.damage)))
    for name, text in rows:
        console.print(f"{name:>11}  {text}", markup=False, highlight=False, soft_wrap=True)
    _print_strip(structure.kinds, console)


def _counted(number: int, reasons: Dict[str, int]) -> str:
    return f"{number}" + "".join(f"; {n} x {why}" for why, n in reasons.items())


def _key_note(structure: Anatomy) -> str:
    return f"; {structure.keyframes} key pictures" if structure.keyframes != structure.counts["I"] else ""


def _gop_note(lengths: List[int]) -> str:
    if len(lengths) == 1:
        return f"one, {lengths[0]} pictures"
    ordered = sorted(lengths)
    return f"{len(lengths)}, {ordered[0]} to {ordered[-1]} pictures, median {ordered[len(ordered) // 2]}"


def _print_strip(kinds: str, console: Console) -> None:
    from rich.text import Text

    strip = Text()
    for kind in kinds[:STRIP_LIMIT]:
        strip.append(kind, COLOURS[kind])
    console.print(strip, soft_wrap=not console.is_terminal)
    if len(kinds) > STRIP_LIMIT:
        console.print(f"... and {len(kinds) - STRIP_LIMIT} more", highlight=False)


def _inspect_network(model: str, classes: Optional[int], settings: Tuple[str, ...], as_json: bool) -> None:
    import json

    from edgecvar.errors import need_extra

    need_extra("train", "counting a network", "torch")
    from edgecvar.nets.catalog import find_entry
    from edgecvar.nets.cost.survey import count_network
    from edgecvar.train.recipe import parse_recipe

    entry = find_entry(model)
    # JSON is YAML.
    document = json.dumps({"model": model, "data": "none", "input": dict(entry.input)})
    network = parse_recipe(document, settings, "--set").network
    spec, classes = network.input, classes or entry.classes
    cost = count_network(model, network.options, spec, classes).cost
    if as_json:
        click.echo(json.dumps(_network_document(model, cost, spec, classes)))
    else:
        from rich.console import Console

        _print_network(f"{model}, {spec.height} x {spec.width}, {classes} classes", cost, Console())


def _network_document(model: str, cost: NetworkCost, spec: Any, classes: int) -> Dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": model,
        "classes": classes,
        "input": spec.model_dump(),
        **asdict(cost),
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "kept_multiply_adds": {
            "one_sampled": cost.window_multiply_adds(1),
            "all_sampled": cost.sampled_multiply_adds(cost.gop_length - 1),
        },
    }


def _print_network(title: str, cost: NetworkCost, console: Console) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("stage", "part", "once", "parameters", "multiply-adds"):
        table.add_column(column, justify="left" if column in ("stage", "part", "once") else "right", no_wrap=True)
    for stage in cost.stages:
        runs = "a GOP" if stage.cadence == "gop" else "a sample"
        for index, part in enumerate(stage.parts):
            first = index == 0
            table.add_row(
                stage.name if first else "",
                part.name,
                runs if first else "",
                _amount(part.parameters),
                _amount(part.multiply_adds),
            )
    table.add_section()
    counted = " + ".join(f"{stage.runs} x {stage.name}" if stage.runs > 1 else stage.name for stage in cost.stages)
    table.add_row("total", "as in the paper", "", _amount(cost.parameters), _amount(cost.multiply_adds))
    console.print(table)
    many = cost.gop_length - 1
    console.print(
        f"a sampled picture, nothing kept: {counted}: {_amount(cost.multiply_adds)} multiply-adds",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"I-features kept for a GOP of {cost.gop_length}: {_amount(cost.sampled_multiply_adds(1))} a sampled picture "
        f"when one is sampled ({_amount(cost.stream_multiply_adds(1))} a stream picture), "
        f"{_amount(cost.sampled_multiply_adds(many))} when all {many} are",
        highlight=False,
        soft_wrap=True,
    )


def _amount(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:.0f}"
