"""Where a stream's vectors and residuals go: an .npz of columns, or a .parquet table."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Dict, List, Mapping, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import need_extra
from edgecvar.files import whole_file
from edgecvar.stream.rectangles import Rectangles
from edgecvar.stream.types import CodedPicture, Residual, StreamInfo

COMPRESSION = 4
"""Of zlib: higher takes many times as long for a few percent."""
ROWS_AT_ONCE = 1 << 16
"""Rows of a parquet table that are written together."""

Types = Dict[str, "np.dtype[Any]"]
Made = Mapping[str, Any]
"""What a file's values depend on beside the video: plain data."""

PICTURE_TYPES: Types = {
    "decode_index": np.dtype(np.int32),
    "display_index": np.dtype(np.int32),
    "pts_seconds": np.dtype(np.float64),
    "kind": np.dtype("U1"),
    "keyframe": np.dtype(bool),
    "exact": np.dtype(bool),
    "shown": np.dtype(bool),
    "opens": np.dtype("U64"),
    "coded_width": np.dtype(np.int32),
    "coded_height": np.dtype(np.int32),
}
RESIDUAL_TYPES: Types = {
    "residual_zero": np.dtype(np.float32),
    "residual_mean": np.dtype(np.float32),
    "residual_largest": np.dtype(np.int32),
}
VECTOR_TYPES: Types = {
    "list": np.dtype(np.uint8),
    **{name: np.dtype(np.uint16) for name in ("x", "y", "width", "height")},
    **{name: np.dtype(np.int16) for name in ("mv_x", "mv_y", "ref_offset")},
    "weighted": np.dtype(bool),
}


@dataclass(frozen=True)
class CodedValues:
    """What is written of one picture; `info` is what holds of the stream there.

    `residual_zero` is the share of luma samples that are zero, `residual_mean` their mean and `residual_largest` their
    largest absolute value; NaN, and -1, where there is no residual, as in I-pictures.
    """

    picture: CodedPicture
    info: StreamInfo
    vectors: Optional[Rectangles]
    residual: Optional[Residual]
    statistics: bool

    def row(self) -> Dict[str, Any]:
        """The picture's own columns, in the order of PICTURE_TYPES and RESIDUAL_TYPES."""
        picture, info = self.picture, self.info
        row = {
            "decode_index": picture.decode_index,
            "display_index": picture.display_index,
            "pts_seconds": picture.pts_seconds,
            "kind": picture.kind,
            "keyframe": picture.keyframe,
            "exact": picture.motion is None or picture.motion.exact,
            "shown": picture.shown,
            "opens": "" if picture.opens is None else picture.opens.reason,
            "coded_width": info.coded_width,
            "coded_height": info.coded_height,
        }
        if self.statistics:
            size = None if self.residual is None else np.abs(self.residual.y)
            row["residual_zero"] = np.nan if size is None else float((size == 0).mean())
            row["residual_mean"] = np.nan if size is None else float(size.mean())
            row["residual_largest"] = -1 if size is None else int(size.max())
        return row


class CodedValuesSink(Protocol):
    """Takes the pictures of one stream in decode order; what it writes is whole, or not there."""

    def __enter__(self) -> CodedValuesSink: ...

    def __exit__(self, *exc: Any) -> None: ...

    def picture(self, values: CodedValues) -> None: ...


class NpzFile:
    """Arrays by name: `picture_*` with an entry a picture, `vector_*` with an entry a rectangle, `info` as JSON.

    `vector_decode_index` says whose a rectangle is. With `planes`, `residual_y_000012` is the int16 luma of picture 12,
    and so on. Columns grow in temporary files, so that a long stream takes no more memory than a short one.
    `made`: how, for `made_with`; it is in the info.
    """

    def __init__(self, target: Path, info: StreamInfo, statistics: bool, planes: bool, made: Made) -> None:
        self._target, self._info, self._planes = target, _info_document(info, made), planes
        self._types: Types = {**PICTURE_TYPES, **(RESIDUAL_TYPES if statistics else {})}
        self._stack = ExitStack()

    def __enter__(self) -> NpzFile:
        with ExitStack() as stack:
            draft = stack.enter_context(whole_file(self._target))
            deflated, level = zipfile.ZIP_DEFLATED, COMPRESSION
            self._file = stack.enter_context(zipfile.ZipFile(draft, "w", deflated, compresslevel=level))
            self._columns = {f"picture_{name}": _Column(stack, kind) for name, kind in self._types.items()}
            self._columns["vector_decode_index"] = _Column(stack, PICTURE_TYPES["decode_index"])
            self._columns.update({f"vector_{name}": _Column(stack, kind) for name, kind in VECTOR_TYPES.items()})
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: Any) -> None:
        if exc[0] is not None:
            self._stack.__exit__(*exc)
            return
        with self._stack:  # also where the disk is full
            for name, column in self._columns.items():
                with self._file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    column.write(member)
            self._array("info", np.array(json.dumps(self._info)))

    def picture(self, values: CodedValues) -> None:
        for name, value in values.row().items():
            self._columns[f"picture_{name}"].append(np.array([value]))
        if values.vectors is not None:
            count = len(values.vectors)
            self._columns["vector_decode_index"].append(np.full(count, values.picture.decode_index))
            for field in fields(Rectangles):
                self._columns[f"vector_{field.name}"].append(getattr(values.vectors, field.name))
        if self._planes and values.residual is not None:
            for plane in ("y", "cb", "cr"):
                name = f"residual_{plane}_{values.picture.decode_index:06d}"
                self._array(name, getattr(values.residual, plane))

    def _array(self, name: str, array: NDArray[Any]) -> None:
        content = io.BytesIO()
        np.lib.format.write_array(content, array, allow_pickle=False)
        self._file.writestr(f"{name}.npy", content.getvalue())


class _Column:
    """One array on its way, in a temporary file."""

    def __init__(self, stack: ExitStack, kind: np.dtype[Any]) -> None:
        self._kind = kind
        self._length = 0
        self._file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115

    def append(self, values: NDArray[Any]) -> None:
        self._file.write(values.astype(self._kind).tobytes())
        self._length += len(values)

    def write(self, member: IO[bytes]) -> None:
        descr = np.lib.format.dtype_to_descr(self._kind)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(member, header)
        self._file.seek(0)
        shutil.copyfileobj(self._file, member)


class ParquetFile:
    """A row a rectangle with its picture's columns beside it; a picture without any has one row, its vector null."""

    def __init__(self, target: Path, info: StreamInfo, statistics: bool, made: Made) -> None:
        need_extra("parquet", "writing .parquet", "pyarrow")
        self._target, self._info = target, _info_document(info, made)
        self._types: Types = {**PICTURE_TYPES, **(RESIDUAL_TYPES if statistics else {})}
        self._stack = ExitStack()
        self._waiting: List[Any] = []
        self._rows = 0

    def __enter__(self) -> ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [(name, _arrow_type(pa, kind)) for name, kind in {**self._types, **VECTOR_TYPES}.items()]
        metadata = {"edgecvar": json.dumps(self._info)}
        self._schema = pa.schema(columns, metadata=metadata)
        with ExitStack() as stack:
            draft = stack.enter_context(whole_file(self._target))
            self._writer = stack.enter_context(pq.ParquetWriter(draft, self._schema))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: Any) -> None:
        if exc[0] is not None:
            self._stack.__exit__(*exc)
            return
        with self._stack:  # also where the disk is full
            self._flush()

    def picture(self, values: CodedValues) -> None:
        import pyarrow as pa

        vectors, row = values.vectors, values.row()
        count = max(1, 0 if vectors is None else len(vectors))
        none = vectors is None or len(vectors) == 0
        columns = [pa.array([row[name]] * count, self._schema.field(name).type) for name in self._types]
        for name in VECTOR_TYPES:
            kind = self._schema.field(name).type
            columns.append(pa.nulls(1, kind) if none else pa.array(getattr(vectors, name), kind))
        self._waiting.append(pa.record_batch(columns, schema=self._schema))
        self._rows += count
        if self._rows >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._rows = [], 0


def _arrow_type(pa: Any, kind: np.dtype[Any]) -> Any:
    return pa.string() if kind.kind == "U" else pa.from_numpy_dtype(kind)


def _info_document(info: StreamInfo, made: Made) -> Dict[str, Any]:
    names = [field.name for field in fields(StreamInfo) if field.name not in ("fps", "time_base")]
    document = {name: getattr(info, name) for name in names}
    return {**document, "fps": str(info.fps), "time_base": str(info.time_base), "made": dict(made)}


def made_with(file: Path) -> Optional[Made]:
    """How a file was made that is there; None where there is none, or no such file. Nothing in it is unpickled."""
    try:
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                document = json.loads(str(arrays["info"]))
        else:
            import pyarrow.parquet as pq

            document = json.loads(pq.read_schema(file).metadata[b"edgecvar"])
        return dict(document["made"])
    except Exception:  # whatever lies there, and of two libraries
        return None
