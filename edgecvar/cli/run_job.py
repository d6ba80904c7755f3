"""One `edgecvar run` from its configuration: source, bundle and runner to sinks."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, List, Optional

from pydantic import Field

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.stages import takes_frames
from edgecvar.cli.report.untrained import warn_untrained
from edgecvar.run.decisions import RunSummary
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import RunnerChoice, make_runner
from edgecvar.sinks.overlay import Overlay, check_overlay
from edgecvar.sinks.table import JsonLines, LiveTable, PlainTable, Sink
from edgecvar.stream.reader import Stream, open_stream
from edgecvar.stream.sources.pipe import PipeSource, binary_source
from edgecvar.stream.types import StreamInfo


class RunConfig(RunnerChoice):
    """`source`: a file, or "-" for standard input. `every`: sample every k-th picture. `top`: labels a decision."""

    source: str
    bundle: Optional[Path] = None
    as_json: bool = False
    overlay: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=300)
    top: int = Field(5, ge=1, le=1000)


def run_job(config: RunConfig) -> None:
    """Run until the source ends; raises EdgecvarError."""
    if config.overlay is not None:
        check_overlay(config.source, config.overlay)
    bundle = open_bundle(config.bundle or default_bundle())
    chosen = make_runner(bundle, config)
    untrained = warn_untrained(bundle)
    with ExitStack() as stack:
        source: Any = config.source if config.source != "-" else binary_source(sys.stdin.buffer)
        stream = stack.enter_context(_open(source, takes_frames(bundle.manifest.stages)))
        runner = stack.enter_context(chosen)
        overlay = _overlay(config, stream.info, untrained)
        sinks: List[Sink] = [stack.enter_context(sink) for sink in _sinks(config, bundle, untrained)]
        if overlay is not None:
            sinks.append(stack.enter_context(overlay))
        # A reader that waits for a pipe is woken; one of a file comes back by itself.
        release = source.leave if isinstance(source, PipeSource) else None
        options = RunOptions(every=config.every, top=config.top, watcher=overlay, release=release)
        decisions = stack.enter_context(recognize(stream, bundle.manifest, runner, options))
        try:
            for decision in decisions:
                for sink in sinks:
                    sink.decision(decision)
        except KeyboardInterrupt:
            decisions.close()
            _finish(sinks, decisions.summary)
            raise
        _finish(sinks, decisions.summary)
    if config.overlay is not None:
        print(f"overlay: {config.overlay}", file=sys.stderr)


def _open(source: Any, frames: bool) -> Stream:
    try:
        return open_stream(source, frames=frames)
    finally:
        if isinstance(source, PipeSource) and source.interrupted:
            raise KeyboardInterrupt


def _finish(sinks: List[Sink], summary: RunSummary) -> None:
    for sink in sinks:
        sink.finish(summary)


def _overlay(config: RunConfig, info: StreamInfo, untrained: bool) -> Optional[Overlay]:
    if config.overlay is None:
        return None
    return Overlay(config.source, config.overlay, info, "untrained" if untrained else "")


def _sinks(config: RunConfig, bundle: Bundle, untrained: bool) -> List[Sink]:
    if config.as_json:
        return [JsonLines(sys.stdout, untrained)]
    if sys.stdout.isatty():
        return [LiveTable(f"{config.source}  {bundle.name}{'  (untrained)' if untrained else ''}")]
    return [PlainTable(sys.stdout, bundle.manifest.labels, untrained)]
