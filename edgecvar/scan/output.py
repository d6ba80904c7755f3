"""The tables that a scan ends in, written whole, a few rows in memory at a time."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple

from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file
from edgecvar.scan.ledger import difference
from edgecvar.scan.table import from_bytes, shown_name, source_schema, table_schema
from edgecvar.scan.values import Listed, Seen

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 1 << 16
"""Rows of a group, which is what a reader skips or takes as a whole."""
TABLES_AT_ONCE = 512
"""Tables that wait, after which they are joined."""
_KEY = b"edgecvar"


def sources_file(output: Path) -> Path:
    """RESULTS.sources.parquet, which has a row a source."""
    return output.with_name(f"{output.stem}.sources{output.suffix}")


def table_files(output: Path) -> Dict[str, Path]:
    """Both tables, by what their metadata call them."""
    return {"rows": output, "sources": sources_file(output)}


def ledger_file(output: Path) -> Path:
    """Where what is finished is kept until all is."""
    return output.with_name(f"{output.name}.ledger")


def digest_of(listed: Iterable[Listed]) -> str:
    """Of all sources as they are now."""
    text = "\n".join(json.dumps([each.name, each.stamp]) for each in listed)
    return hashlib.sha256(text.encode()).hexdigest()


def write_tables(output: Path, finished: Iterable[Tuple[str, Seen]], origin: Mapping[str, Any]) -> None:
    """Both tables, of sources as they are shown; `origin` is kept in them. Raises ConfigError where they cannot be."""
    import pyarrow as pa

    schemas = {"rows": table_schema(), "sources": source_schema()}
    metadata = {table: {_KEY: json.dumps({"table": table, **origin}).encode()} for table in schemas}
    rows, sources = (schema.with_metadata(metadata[table]) for table, schema in schemas.items())
    files = list(zip(table_files(output).values(), (rows, sources)))
    try:
        with ExitStack() as stack:
            # Left in the opposite order: where the table is there, that of the sources is, too.
            writer, listed = (_writer(stack, file, schema) for file, schema in files)
            waiting, listing = _Waiting(writer, rows), _Waiting(listed, sources)
            for name, seen in finished:
                table = from_bytes(seen.rows)
                waiting.add(table.add_column(0, rows.field("source"), pa.array([name] * len(table), pa.string())))
                listing.add(pa.Table.from_pylist([_listing(name, seen)], sources))
            waiting.write()
            listing.write()
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({reason(error)}); make room, and run it again") from error


def _writer(stack: ExitStack, file: Path, schema: pa.Schema) -> Any:
    import pyarrow.parquet as pq

    # Opened here: Arrow takes no name that is not UTF-8.
    draft = stack.enter_context(stack.enter_context(whole_file(file)).open("wb"))
    return stack.enter_context(pq.ParquetWriter(draft, schema, compression="zstd"))


class _Waiting:
    """Rows that are written once there are enough of them."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._tables: List[pa.Table] = []
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += len(table)
        if len(self._tables) >= TABLES_AT_ONCE:  # each has buffers of its own, many times its few rows
            self._tables = [self._joined().combine_chunks()]
        if self._rows >= ROWS_AT_ONCE:
            self.write()

    def write(self) -> None:
        if self._rows:
            self._writer.write_table(self._joined(), row_group_size=ROWS_AT_ONCE)
        self._tables, self._rows = [], 0

    def _joined(self) -> pa.Table:
        import pyarrow as pa

        return pa.concat_tables([each.cast(self._schema) for each in self._tables])


def _listing(name: str, seen: Seen) -> Dict[str, Any]:
    counts = seen.counts.document()
    unsplit = shown_name(counts.pop("unsplit")) or None
    return {
        "source": name,
        "failure": seen.failure or None,
        **counts,
        "stream_seconds": seen.counts.stream_seconds,
        "unsplit": unsplit,
    }


def written_before(output: Path, origin: Mapping[str, Any]) -> Optional[str]:
    """How the finished tables that are there differ from what is asked for; None where there is no table of rows.

    Raises ConfigError where there is a file that is no such table.
    """
    found = {table: _origin(file, table) for table, file in table_files(output).items() if file.exists()}
    differs = next(filter(None, (difference(document, origin) for document in found.values())), "")
    return differs if differs or "rows" in found else None


def _origin(file: Path, table: str) -> Dict[str, Any]:
    """What a table of a scan is of; raises ConfigError for another file, and for another table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(file, "rb") as opened:
            document = json.loads((pq.read_schema(opened).metadata or {}).get(_KEY, b"null"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(f"--output {file}: is there, and no table of a scan ({reason(error)})") from error
    if not isinstance(document, dict) or document.pop("table", None) != table:
        raise ConfigError(f"--output {file}: is there, and no table of {table} of a scan; name another, or --overwrite")
    return document
