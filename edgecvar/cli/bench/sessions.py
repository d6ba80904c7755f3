"""The sessions of `edgecvar bench`: measured as the flags say, saved, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

from edgecvar.terminal import say_json

if TYPE_CHECKING:
    from edgecvar.bench.session import Session


def measured(
    source: Optional[str],
    bundle: Tuple[Path, ...],
    precision: Optional[str],
    save: Path,
    trace: Optional[Path],
    nvtx: Optional[bool],
    **options: Any,
) -> List[Session]:
    """One session, or several in turn, saved in `save`; raises EdgecvarError."""
    from edgecvar.bench.measure import BenchConfig
    from edgecvar.bench.predicted.beside import with_prediction
    from edgecvar.bench.session import save_sessions
    from edgecvar.bench.side_by_side import measure_sessions
    from edgecvar.bundle.default import default_clip
    from edgecvar.cli.flags import precision_list
    from edgecvar.config import from_flags
    from edgecvar.errors import ConfigError
    from edgecvar.files import check_writable, takes_all
    from edgecvar.progress import StepBar
    from edgecvar.run.nvtx import find_ranges
    from edgecvar.run.trace import Observers
    from edgecvar.run.trace_file import tracing
    from edgecvar.stream.sources.opening import is_source

    config = from_flags(BenchConfig, {"source": source, **options})
    precisions = precision_list(precision) or []
    if source is not None and is_source(source, save):
        raise ConfigError(f"--save {save}: this is the source itself; choose another name")
    if not takes_all(save):
        check_writable(save.parent)
    ranges = find_ranges(nvtx)
    with tracing(trace, [source] if source else [], [save]) as traced, StepBar() as bar:
        sessions = measure_sessions(config, bundle, precisions, bar.show, Observers(traced, ranges))
    clip = source or str(default_clip())
    sessions = [with_prediction(each, Path(each.bundle), clip, config.threads) for each in sessions]
    save_sessions(sessions, save)
    return sessions


def show(sessions: Sequence[Session], as_json: bool) -> None:
    """One by its report, several side by side."""
    from edgecvar.console import Console

    if len(sessions) == 1:
        from edgecvar.cli.report.session import as_document, print_report

        say_json(as_document(sessions[0])) if as_json else print_report(sessions[0], Console())
        return
    from edgecvar.cli.report.sessions.side_by_side import as_documents, print_side_by_side

    say_json(as_documents(sessions)) if as_json else print_side_by_side(sessions, Console())
