"""`edgecvar bench --for DEVICE`: what a bundle would do on a device that is not here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Tuple

import click

from edgecvar.cli.bench.page import check_page
from edgecvar.cli.flags import every_flag, refuse_bundle
from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.predict.prediction import Prediction
    from edgecvar.predict.predictor import PredictConfig


@click.command("for")
@click.argument("source", required=False)
@click.option(
    "--for",
    "device",
    metavar="DEVICE",
    required=True,
    help="A device of `edgecvar devices`; cpu: here, after `bench machine`.",
)
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle to predict [default: the demo's].")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="Of the stages; one at a time [default: fp16; with cpu, fp32].",
)
@click.option("--streams", type=click.IntRange(1, 1024), metavar="N", help="Cameras at once [default: 1].")
@every_flag
@click.option(
    "--goal",
    type=click.FloatRange(0.001, 100_000),
    metavar="RATE",
    help="Pictures/s to reach, all streams together [default: 40, or what the streams send, if more].",
)
@click.option(
    "--calibrate",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="SESSION",
    help="Correct predictions for DEVICE, now and later, by this session that `edgecvar bench` saved on one.",
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="With cpu: of a stage [default: what pays].")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Also write the prediction as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the prediction as one JSON document.")
def command(
    calibrate: Tuple[Path, ...], threads: Optional[int], report: Optional[Path], as_json: bool, **options: Any
) -> None:
    """Predict what a bundle would do on DEVICE.

    Reckoned from its graphs, data sheets and published figures: nothing is run there. SOURCE is a file whose pictures
    are counted, or "480p camera", "720p camera" (the default) or "1080p camera", each with 25 pictures a second. Every
    figure comes with bounds between which four of five published figures lay that the model had not seen; `edgecvar
    bench published` shows them all.
    """
    refuse_bundle(options["source"])
    from edgecvar.config import from_flags
    from edgecvar.predict.predictor import PredictConfig

    config = from_flags(PredictConfig, {name: value for name, value in options.items() if value is not None})
    if report is not None:
        for session in calibrate or (None,):
            check_page(report, options["source"], session)
    prediction = _predicted(config, calibrate, threads)
    if report is not None:
        _write_page(report, prediction, config.folder)
    if as_json:
        from edgecvar.cli.report.predicted.prediction import prediction_document

        say_json(prediction_document(prediction))
        return
    from edgecvar.cli.report.predicted.prediction import print_prediction
    from edgecvar.console import Console

    print_prediction(prediction, Console())


def _predicted(config: PredictConfig, calibrate: Tuple[Path, ...], threads: Optional[int]) -> Prediction:
    if config.device == "cpu":
        if calibrate:
            raise click.UsageError("--calibrate corrects predictions for another device; cpu is measured here")
        from edgecvar.bench.predicted.here import predict_here

        return predict_here(config, threads)
    from edgecvar.bench.predicted.calibrating import calibrate as correct
    from edgecvar.predict.predictor import predict

    for path in calibrate:
        factor = correct(path, config).factor
        say(f"{path}: its stages took {factor:.2f} times what was predicted; kept for {config.device}", err=True)
    return predict(config)


def _write_page(report: Path, prediction: Prediction, bundle: Path) -> None:
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.bench_page.page import write_prediction_page

    stages = open_bundle(bundle).manifest.stages
    write_prediction_page(report, prediction, {each.name: [one.source for one in each.inputs] for each in stages})
    say(f"page written: {report}", err=True)
