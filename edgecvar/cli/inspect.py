"""`edgecvar inspect`: what a video's bitstream, a network or a bundle is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Tuple

import click

from edgecvar.cli.flags import extraction_flag, timeout_flag
from edgecvar.terminal import say, say_json


@click.command("inspect")
@click.argument("subject")
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw I-picture, motion and residual (PNG).")
@click.option("--at", type=click.IntRange(min=0), help="Decode index of the picture to draw [default: most motion].")
@click.option("--classes", type=click.IntRange(min=1), help="A network's classes [default: the paper's].")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A network's or its input's option.")
@extraction_flag
@timeout_flag
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    subject: str,
    picture: Optional[Path],
    at: Optional[int],
    classes: Optional[int],
    settings: Tuple[str, ...],
    as_json: bool,
    **reading: Any,
) -> None:
    """Show what SUBJECT is made of: a video, a network by name (`edgecvar models` lists them), or a bundle.

    A video (a file, a URL, or `-` for standard input): codec, how its vectors are extracted, statistics of vectors and
    residuals, GOPs as strips of I, P and B in display order, a line for each or for several alike. A network:
    parameters and multiply-adds of each part, at the paper's size unless --set says otherwise (network.fusion=mv,
    input.height=112). A bundle: of each stage, how many nodes TensorRT computes in int8, fp16 and fp32, by the types
    that its versions would infer, and which in fp32.
    """
    if _names_a_bundle(subject):
        if picture is not None or at is not None:
            raise click.UsageError("--picture and --at want a video")
        _inspect_bundle(Path(subject), as_json)
    elif _names_a_video(subject):
        _inspect_video(subject, picture, at, as_json, **reading)
    else:
        if picture is not None or at is not None:
            raise click.UsageError("--picture and --at want a video")
        _inspect_network(subject, classes, settings, as_json)


def _names_a_bundle(subject: str) -> bool:
    from edgecvar.bundle.manifest import MANIFEST

    return (Path(subject) / MANIFEST).is_file()


def _names_a_video(subject: str) -> bool:
    """A folder with a plain name does not, but may be called as a network is: runs lie in such folders."""
    path = Path(subject)
    return subject == "-" or any(sign in subject for sign in "./:") or (path.exists() and not path.is_dir())


def _inspect_video(
    name: str, picture: Optional[Path], at: Optional[int], as_json: bool, extraction: str, timeout: float
) -> None:
    from edgecvar.cli.report.anatomy import anatomy_document, print_anatomy
    from edgecvar.errors import ConfigError
    from edgecvar.stream.anatomy import anatomy
    from edgecvar.stream.reader import open_stream
    from edgecvar.stream.sources.opening import read_once, without_password
    from edgecvar.stream.sources.pipe import named_source

    if picture is not None and read_once(name):
        once = without_password(name)
        raise ConfigError(f"--picture reads its video twice, and {once} can be read once; save it to a file first")
    with open_stream(named_source(name), extraction, timeout=timeout) as stream:
        whole = anatomy(stream)
    if as_json:
        say_json(anatomy_document(whole))
    else:
        from edgecvar.console import Console

        print_anatomy(without_password(name), whole, Console())
    if picture is not None:
        from edgecvar.cli.report.portrait import draw_portrait

        at = whole.liveliest or 0 if at is None else at
        drawn = draw_portrait(name, picture, at, whole.info.extraction, timeout)
        say(f"drawn: {picture} (picture {drawn.decode_index}, {drawn.kind})", err=True)


def _inspect_network(model: str, classes: Optional[int], settings: Tuple[str, ...], as_json: bool) -> None:
    import json

    from edgecvar.errors import ConfigError, need_extra

    try:
        need_extra("train", "counting a network", "torch")
        from edgecvar.nets.catalog import find_entry

        entry = find_entry(model)
    except ConfigError as error:
        if not Path(model).is_dir():
            raise
        told = f"{model}: is a folder and no bundle; name one video in it (`edgecvar run` takes folders)"
        raise ConfigError(told) from error
    from edgecvar.cli.report.cost import cost_document, print_cost
    from edgecvar.nets.cost.survey import count_network
    from edgecvar.train.recipe import parse_recipe

    # JSON is YAML.
    document = json.dumps({"model": model, "data": "none", "input": dict(entry.input)})
    network = parse_recipe(document, settings, "--set").network
    spec, classes = network.input, classes or entry.classes
    cost = count_network(model, network.options, spec, classes).cost
    if as_json:
        say_json(cost_document(model, cost, spec, classes))
    else:
        from edgecvar.console import Console

        print_cost(f"{model}, {spec.height} x {spec.width}, {classes} classes", cost, Console())


def _inspect_bundle(path: Path, as_json: bool) -> None:
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.bundle.typing import print_types, types_document
    from edgecvar.predict.typing.survey import survey_types

    types = survey_types(open_bundle(path))
    if as_json:
        say_json(types_document(path, types))
    else:
        print_types(types)
