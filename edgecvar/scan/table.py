"""The rows of a scan as Arrow has them: what is decided, what comes of it, of one source or of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.run.decisions import Decision
from edgecvar.run.events import Event
from edgecvar.scan.values import Listed
from edgecvar.stream.sources.passwords import without_password

if TYPE_CHECKING:
    import pyarrow as pa

DECISION, EVENT = "decision", "event"


def row_schema() -> pa.Schema:
    """Of the finished rows of one source."""
    import pyarrow as pa

    return pa.schema(
        [
            ("kind", pa.string()),
            ("seconds", pa.float64()),
            ("end_seconds", pa.float64()),
            ("label", pa.string()),
            ("score", pa.float64()),
            ("peak_seconds", pa.float64()),
            ("number", pa.int32()),
            ("picture", pa.int64()),
            ("break", pa.string()),
        ]
    )


def table_schema() -> pa.Schema:
    """Of the whole table: the source, and the columns of its rows."""
    import pyarrow as pa

    return pa.schema([pa.field("source", pa.string()), *row_schema()])


def source_schema() -> pa.Schema:
    """Of the table of sources; `failure` is null where there is none, `unsplit` where no long file was left whole."""
    import pyarrow as pa

    counts = ("pictures", "sampled", "decisions", "events", "skipped", "damaged", "pieces")
    return pa.schema(
        [
            ("source", pa.string()),
            ("failure", pa.string()),
            *((name, pa.int64()) for name in counts),
            ("stream_seconds", pa.float64()),
            ("unsplit", pa.string()),
        ]
    )


def decision_rows(decisions: Sequence[Decision]) -> pa.Table:
    """In the order of their pictures."""
    import pyarrow as pa

    count = len(decisions)
    columns = {
        "kind": pa.array([DECISION] * count, pa.string()),
        "seconds": pa.array([each.pts_seconds for each in decisions], pa.float64()),
        "label": pa.array([each.label for each in decisions], pa.string()),
        "score": pa.array([each.probability for each in decisions], pa.float64()),
        "picture": pa.array([each.display_index for each in decisions], pa.int64()),
        "break": pa.array([each.opens or None for each in decisions], pa.string()),
    }
    return _filled(columns, count)


def event_rows(events: Sequence[Event]) -> pa.Table:
    """In the order in which they were told."""
    import pyarrow as pa

    count = len(events)
    columns = {
        "kind": pa.array([EVENT] * count, pa.string()),
        "seconds": pa.array([each.start_seconds for each in events], pa.float64()),
        "end_seconds": pa.array([each.end_seconds for each in events], pa.float64()),
        "label": pa.array([each.label for each in events], pa.string()),
        "score": pa.array([each.peak for each in events], pa.float64()),
        "peak_seconds": pa.array([each.peak_seconds for each in events], pa.float64()),
        "number": pa.array([each.number for each in events], pa.int32()),
    }
    return _filled(columns, count)


def _filled(columns: Any, count: int) -> pa.Table:
    import pyarrow as pa

    schema = row_schema()
    return pa.table([columns.get(each.name, pa.nulls(count, each.type)) for each in schema], schema=schema)


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of one source by time; of one moment decisions come first, then events by number."""
    import pyarrow as pa

    whole = pa.concat_tables([*tables, row_schema().empty_table()])
    number = whole["number"].fill_null(-1).to_numpy()
    return whole.take(pa.array(np.lexsort((number, whole["seconds"].to_numpy()))))


def scored_rows(decisions: Sequence[Decision], base: int, classes: int) -> pa.Table:
    """The decisions of a piece that begins with picture `base` of its file, with what is needed to go on from them."""
    import pyarrow as pa

    table = decision_rows(decisions)
    picture = pa.array([each.display_index + base for each in decisions], pa.int64())
    decoded = pa.array([each.decode_index + base for each in decisions], pa.int64())
    values = [each.scores for each in decisions]
    flat = np.concatenate(values).astype(np.float32) if values else np.zeros(0, np.float32)
    scores = pa.FixedSizeListArray.from_arrays(pa.array(flat), classes)
    table = table.set_column(table.schema.get_field_index("picture"), "picture", picture)
    return table.append_column("decoded", decoded).append_column("scores", scores)


def scores_of(table: pa.Table, classes: int) -> NDArray[np.float32]:
    """float32 (rows, classes)."""
    flat = table["scores"].combine_chunks().flatten()
    values: NDArray[np.float32] = np.asarray(flat.to_numpy(zero_copy_only=False), np.float32)
    return values.reshape(-1, classes)


def to_bytes(table: pa.Table) -> bytes:
    """Of a table that a ledger keeps."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_bytes(data: bytes) -> pa.Table:
    """The table; raises ArrowInvalid for what is none."""
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def shown_names(listed: Iterable[Listed]) -> Dict[str, str]:
    """Sources by name, as tables have them; those that would be alike without their passwords are numbered."""
    alike: Dict[str, List[str]] = {}
    for source in listed:
        alike.setdefault(shown_name(without_password(source.name)), []).append(source.name)
    numbered = ((shown, names, number) for shown, names in alike.items() for number in range(len(names)))
    return {names[each]: f"{shown}#{each + 1}" if len(names) > 1 else shown for shown, names, each in numbered}


def shown_name(name: str) -> str:
    """A source as text of a table: no password, and bytes that are no UTF-8 as \\udcff."""
    return name.encode("utf-8", "backslashreplace").decode()
