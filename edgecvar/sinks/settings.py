"""What `edgecvar run` is asked for, refused before anything is read where it cannot be done."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import List, Literal, Optional, Sequence, Tuple

from pydantic import Field

from edgecvar.bundle.exits import ExitChoice
from edgecvar.clips.labelled import files_matching, videos_below
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError, DatasetError, reason
from edgecvar.files import check_writable
from edgecvar.run.event_settings import EventSettings
from edgecvar.runners.choice import RunnerChoice
from edgecvar.sinks.clips.event_clips import ClipSettings
from edgecvar.sinks.clips.folder import source_part
from edgecvar.sinks.overlay import check_overlay
from edgecvar.stream.images.choice import Decoder
from edgecvar.stream.live import LATE
from edgecvar.stream.reader import Extraction
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, is_source, without_password

Form = Literal["table", "json", "csv"]
FORMS = {".csv": "csv", ".json": "json", ".jsonl": "json"}
"""What the name of an output file says of its form."""


class RunConfig(RunnerChoice):
    """`sources`: files, URLs, or "-" alone for standard input.

    `trust`: the keys of which one must have signed the bundle. `form`: of what is written, by default as `output`
    is called, else a table. `overlay`: a video, of several sources a folder. `to`: URIs of sinks that deliver
    elsewhere, `spool`: where what waits for them is kept. `every`: sample one of every k pictures. `top`: labels
    listed with a decision. `decoder`: what decodes I-pictures. `timeout`: seconds without data. `events`: how
    decisions become events, none unless given; `clips`: where those are cut out of the stream. `reconnect`: whether
    a URL is waited for, by default a live one's; `wait`: seconds that it may be away; `late`: seconds after a live
    picture's arrival from which on fewer are sampled, and packets fall. `together`: several run at the same time.
    `trace`: a file that tells when every thread did what. `exits`: how sure an early exit must be.
    """

    sources: Tuple[str, ...] = Field(min_length=1)
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    form: Optional[Form] = None
    output: Optional[Path] = None
    overlay: Optional[Path] = None
    to: Tuple[str, ...] = ()
    spool: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    top: int = Field(5, ge=1, le=1000)
    extraction: Extraction = "auto"
    decoder: Decoder = "auto"
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)
    events: Optional[EventSettings] = None
    clips: Optional[ClipSettings] = None
    reconnect: Optional[bool] = None
    wait: Optional[float] = Field(None, gt=0, le=LONGEST)
    late: float = Field(LATE, gt=0, le=LONGEST)
    together: bool = False
    trace: Optional[Path] = None
    exits: ExitChoice = "auto"

    @property
    def written_form(self) -> str:
        by_name = "table" if self.output is None else FORMS.get(self.output.suffix.lower(), "table")
        return self.form or by_name


def find_sources(arguments: Sequence[str]) -> List[str]:
    """What the arguments name, each once: a folder's videos, a pattern's files; raises DatasetError for none."""
    sources: List[str] = []
    for argument in arguments:
        if not argument:
            raise ConfigError("a source is empty; name a file, a folder with videos, or a pattern in quotes")
        if os.path.isdir(argument):
            matches = [str(file) for file in videos_below(Path(argument))]
        elif glob.has_magic(argument) and "://" not in argument and not os.path.exists(argument):
            matches = [str(file) for file in files_matching(argument)]
        else:
            matches = [argument]
        if not matches:
            raise DatasetError(f"{argument}: no video there; name a file, a folder with videos, or a pattern in quotes")
        sources += matches
    return list(dict.fromkeys(sources))


def check_settings(config: RunConfig) -> None:
    """Refuse what cannot be written before anything is read; raises ConfigError."""
    if "-" in config.sources and len(config.sources) > 1:
        raise ConfigError("- is standard input, and cannot be one of several sources")
    if config.together and config.overlay is not None:
        raise ConfigError("--together: it draws no --overlay; run the source that is to have one apart")
    output = config.output
    if output is not None:
        if any(is_source(each, output) for each in config.sources):
            raise ConfigError(f"--output {output}: this is a source itself; choose another name")
        if output.is_dir() or not output.absolute().parent.is_dir():
            raise ConfigError(
                f"--output {output}: is a folder itself, or in none that exists; name a file, and make its folder first"
            )
        if config.overlay is not None and output.absolute() == config.overlay.absolute():
            raise ConfigError(f"--output {output}: --overlay writes there, too; choose another name")
    if config.clips is not None:
        _check_clips(config, config.clips)
    if config.overlay is not None and len(config.sources) > 1:
        if not config.overlay.is_dir():
            raise ConfigError(f"--overlay {config.overlay}: not a folder, and there are several sources; make it first")
        names = [Path(source).stem for source in config.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"--overlay: two sources are called {twice}; run them apart")
    for source in config.sources:
        target = overlay_file(config, source)
        if target is not None:
            check_overlay(source, target)


def _check_clips(config: RunConfig, clips: ClipSettings) -> None:
    if config.events is None:
        raise ConfigError("--clips: clips are of events, which nobody asked for; add --events")
    names = [source_part(source) for source in config.sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"--clips: those of two sources would be called {twice}; run them apart")
    try:
        clips.clips.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--clips {clips.clips}: no folder that can be made ({reason(error)})") from error
    check_writable(clips.clips, "choose another --clips")


def overlay_file(config: RunConfig, source: str) -> Optional[Path]:
    if config.overlay is None or not config.overlay.is_dir():
        return config.overlay
    return config.overlay / f"{Path(without_password(source)).stem}.mp4"
