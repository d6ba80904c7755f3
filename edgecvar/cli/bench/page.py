"""Where the page of a measurement may go."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click


def is_file(page: Path, other: Path) -> bool:
    """Whether both are the same file, by name or through a link."""
    return page.absolute() == other.absolute() or (page.exists() and other.exists() and page.samefile(other))


def check_page(page: Path, source: Optional[str], session: Optional[Path]) -> None:
    """Raise where `page` is a folder, the source or the session itself, or cannot be written."""
    from edgecvar.files import check_writable, takes_all
    from edgecvar.stream.sources.opening import is_source

    if page.is_dir():
        raise click.UsageError(f"--report {page}: a folder; name a file")
    if session is not None and is_file(page, session):
        raise click.UsageError(f"--report {page}: this is the session itself; choose another name")
    if source is not None and is_source(source, page):
        raise click.UsageError(f"--report {page}: this is the source itself; choose another name")
    if not takes_all(page):
        check_writable(page.parent, "choose another --report")
