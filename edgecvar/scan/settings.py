"""What `edgecvar scan` is asked for, and which of it its table depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from pydantic import Field

from edgecvar import __version__
from edgecvar.bundle.exits import ExitChoice, exit_rules
from edgecvar.bundle.manifest import Bundle
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError, need_extra
from edgecvar.run.event_settings import EventSettings
from edgecvar.runners.choice import RunnerChoice, resolve
from edgecvar.scan.output import table_files
from edgecvar.scan.values import Work
from edgecvar.stream.reader import Extraction
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, is_source

SPLIT = 600.0
"""Seconds of a piece of a long file."""


class ScanConfig(RunnerChoice):
    """`sources`: files, folders, patterns, URLs. `output`: the .parquet that is written.

    `trust`: keys, one of which must have signed the bundle. `workers`: processes, by default one a core, with TensorRT
    one. `ray`: the address of a cluster that does the work instead. `split`: a file that lasts for two times so many
    seconds is cut up, none with 0. `overwrite`: what is there, finished or not, is not gone on with. The others are as
    of `run`.
    """

    sources: Tuple[str, ...] = Field(min_length=1)
    output: Path
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    workers: Optional[int] = Field(None, ge=1, le=1024)
    ray: Optional[str] = None
    split: float = Field(SPLIT, ge=0, le=LONGEST)
    overwrite: bool = False
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    events: EventSettings = EventSettings()
    exits: ExitChoice = "auto"
    extraction: Extraction = "auto"
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)


def check_scan(config: ScanConfig) -> None:
    """Refuses what cannot be written before anything is read; raises ConfigError."""
    need_extra("scan", "edgecvar scan", "pyarrow")
    output = config.output
    if output.suffix != ".parquet":
        raise ConfigError(f"--output {output}: a scan writes tables; name a file that ends in .parquet")
    for file in table_files(output).values():
        if file.is_dir() or not file.absolute().parent.is_dir():
            raise ConfigError(
                f"--output {file}: is a folder itself, or in none that exists; name a file, and make its folder first"
            )
        if any(is_source(each, file) for each in config.sources):
            raise ConfigError(f"--output {file}: this is a source itself; choose another name")


def check_bundle(config: ScanConfig, bundle: Bundle) -> None:
    """Refuses what every source would fail with; raises ConfigError."""
    config.events.check(bundle.manifest.labels)
    exit_rules(bundle.manifest.stages, bundle.manifest.exits, config.exits)


def workers_of(config: ScanConfig, bundle: Bundle) -> Optional[int]:
    """Processes, None for one a core; TensorRT's device takes one. Raises ConfigError where more are asked for."""
    if config.ray is not None or resolve(bundle, config)[0] != "trt":
        return config.workers
    if (config.workers or 1) > 1:
        raise ConfigError(f"--workers {config.workers}: TensorRT's device takes one process; leave it out")
    return 1


def gpus_of(config: ScanConfig, bundle: Bundle) -> int:
    """Those that a task has to itself; raises ConfigError where the runner cannot be had."""
    return int(resolve(bundle, config)[0] == "trt")


def work_of(config: ScanConfig, bundle: Bundle) -> Work:
    """What workers are told; raises ConfigError or BundleError where the runner cannot be had."""
    chosen = {name: getattr(config, name) for name in RunnerChoice.model_fields}
    engine, precision = resolve(bundle, config)
    chosen.update(runner=engine, precision=precision)
    if engine == "onnx":
        chosen["threads"] = config.threads or 1
    return Work(
        bundle=str(bundle.path.absolute()),
        seal=bundle.manifest.seal,
        choice=RunnerChoice(**chosen),
        events=config.events,
        every=config.every,
        exits=config.exits,
        extraction=config.extraction,
        split=config.split,
        timeout=config.timeout,
        signed_by=bundle.signed_by,
    )


def table_settings(work: Work) -> Dict[str, Any]:
    """All that rows depend on, as plain data: a scan is gone on with where this is the same."""
    return {
        "edgecvar": __version__,
        "bundle": work.seal,
        "choice": work.choice.model_dump(mode="json"),
        "every": work.every,
        "exits": work.exits,
        "extraction": work.extraction,
        "events": work.events.model_dump(mode="json"),
        "split": work.split,
    }
