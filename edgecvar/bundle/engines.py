"""TensorRT engines in a bundle: kept by SM, TensorRT version and precision, written whole, checked before use.

An engine is code for one device: one that does not hash as it was written is never deserialised, and of a bundle whose
signature is asked for none but those that `bundle/built_here.py` knows.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Literal, Mapping, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecvar.bundle.built_here import note_built, was_built_here
from edgecvar.bundle.hashes import check_file, check_hash
from edgecvar.bundle.precision import Precision
from edgecvar.config import mistake
from edgecvar.documents import parse_json, read_text
from edgecvar.errors import BundleError, reason
from edgecvar.files import whole_folder

ENGINES = "engines"
INDEX = "index.json"
LOG = "build.log"
TIMINGS = "timings.cache"
REMOVE = "remove that folder and run again: the engines are built anew"

Converter = Literal["onnx", "torch2trt"]


class EngineKey(BaseModel):
    """What an engine was built for; another of any of these cannot run it, or not well.

    `sm`: "sm87". `gpu`: its name and size; AGX Orin and Orin Nano have the same SM and not the same engines.
    `dla`: the core, if any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sm: str
    gpu: str
    tensorrt: str
    precision: Precision
    converter: Converter = "onnx"
    dla: Optional[int] = None

    @property
    def folder(self) -> str:
        """<sm>-<tensorrt version>-<precision>, and what was asked for beyond that."""
        parts = [self.sm, self.tensorrt, self.precision]
        parts += [] if self.converter == "onnx" else [self.converter]
        return "-".join(parts + ([] if self.dla is None else [f"dla{self.dla}"]))


class EngineFile(BaseModel):
    """One stage's engine, and the hash of the ONNX file that it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    onnx_sha256: str


class FolderIndex(BaseModel):
    """What index.json of a folder in engines/ holds; `seal` is the sha256 of this document with an empty seal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    key: Optional[EngineKey] = None
    max_batch: int = Field(1, ge=1)
    engines: Dict[str, EngineFile] = Field(default_factory=dict)
    sha256: Dict[str, str] = Field(default_factory=dict)
    seal: str = ""

    @property
    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    def sealed(self) -> FolderIndex:
        """The same index with its seal."""
        bare = self.model_copy(update={"seal": ""})
        return bare.model_copy(update={"seal": hashlib.sha256(bare.text.encode()).hexdigest()})


class BuiltStage(BaseModel):
    """A stage's serialised engine, and the hash of the ONNX file it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: bytes
    onnx_sha256: str


def why_build(
    root: Path, key: EngineKey, onnx: Mapping[str, str], max_batch: int = 1, own: bool = False
) -> Optional[str]:
    """Why engines must be built for `key`, in words; None where the bundle has them.

    `onnx`: sha256 of the ONNX file of each stage. `own`: only what this user built here counts. Raises BundleError
    where the folder was changed.
    """
    folder = root / ENGINES / key.folder
    if not folder.is_dir():
        return f"the bundle has no engines for {key.folder}"
    index = _read_index(folder)
    if own and not was_built_here(index.seal):
        return f"{folder} was not built here by this user, and only signed files are trusted"
    if index.key is not None and index.key.gpu != key.gpu:
        return f"{folder} was made for another GPU ({index.key.gpu}; this is {key.gpu})"
    if index.key != key or set(index.engines) != set(onnx):
        return f"{folder} was made for something else"
    if index.max_batch < max_batch:
        return f"{folder} takes {index.max_batch} at once, and {max_batch} are wanted"
    stale = [stage for stage in onnx if index.engines[stage].onnx_sha256 != onnx[stage]]
    return f"{folder} was made of another ONNX file of {', '.join(stale)}" if stale else None


def read_engine(root: Path, key: EngineKey, stage: str, onnx_sha256: str, own: bool = False) -> Tuple[Path, bytes]:
    """The file of a stage's engine, made of that ONNX file for `key`, and its bytes as they were written.

    `own`: only what this user built here. Raises BundleError, also where it is another by now than `why_build` saw.
    """
    folder = root / ENGINES / key.folder
    index = _read_index(folder)
    if own and not was_built_here(index.seal):
        raise BundleError(f"{folder}: was replaced by engines that were not built here by this user; {REMOVE}")
    if stage not in index.engines:
        raise BundleError(f"{folder}: no engine of stage {stage!r}; {REMOVE}")
    if index.key != key or index.engines[stage].onnx_sha256 != onnx_sha256:
        raise BundleError(f"{folder}: was replaced after it was checked, by engines of something else; {REMOVE}")
    name = index.engines[stage].file
    return folder / name, _read_checked(folder, index, name)


def write_engines(root: Path, key: EngineKey, stages: Mapping[str, BuiltStage], log: str, max_batch: int = 1) -> Path:
    """Put engines and the builder's log into the bundle, whole or not at all; raises BundleError."""
    files = {f"{name}.engine": stage.engine for name, stage in stages.items()}
    engines = {name: EngineFile(file=f"{name}.engine", onnx_sha256=stage.onnx_sha256) for name, stage in stages.items()}
    index = FolderIndex(key=key, max_batch=max_batch, engines=engines)
    return _write_folder(root / ENGINES / key.folder, index, {**files, LOG: log.encode()})


@dataclass(frozen=True)
class HeldEngines:
    """A folder of engines in a bundle; `built_here`: by this user, on this machine."""

    folder: str
    key: EngineKey
    max_batch: int
    stages: Tuple[str, ...]
    size_bytes: int
    built_here: bool


def held_engines(root: Path) -> List[HeldEngines]:
    """The engines that a bundle has, whatever they are for; raises BundleError."""
    held = []
    for folder in _visible(root / ENGINES):
        index = _read_index(folder)
        if index.key is not None:
            sizes = [(folder / each.file).stat().st_size for each in index.engines.values()]
            mine, stages = was_built_here(index.seal), tuple(index.engines)
            held.append(HeldEngines(folder.name, index.key, index.max_batch, stages, sum(sizes), mine))
    return held


def require_writable(root: Path) -> None:
    """Raises BundleError where engines could not be put into the bundle: known before minutes of building."""
    _refuse_link(root / ENGINES)
    folder = root / ENGINES if (root / ENGINES).exists() else root
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BundleError(f"{folder}: engines cannot be written there; copy the bundle to a folder of yours")


def read_timings(root: Path, sm: str, tensorrt: str, own: bool = False) -> bytes:
    """The builder's timing cache of a device and version; empty where there is none. Raises BundleError.

    `own`: only one that this user wrote here.
    """
    folder = _timing_folder(root, sm, tensorrt)
    index = _read_index(folder) if folder.is_dir() else None
    if index is None or (own and not was_built_here(index.seal)):
        return b""
    return _read_checked(folder, index, TIMINGS)


def write_timings(root: Path, sm: str, tensorrt: str, cache: bytes) -> None:
    """Keep the builder's timing cache; raises BundleError."""
    _write_folder(_timing_folder(root, sm, tensorrt), FolderIndex(), {TIMINGS: cache})


def check_engines(root: Path) -> None:
    """Every file below engines/ is listed in its folder's index and hashes as it says, none is a link.

    Raises BundleError.
    """
    _refuse_link(root / ENGINES)
    for folder in _visible(root / ENGINES):
        _refuse_link(folder)
        if not folder.is_dir():
            raise BundleError(f"{folder}: was not written by edgecvar; remove it")
        index = _read_index(folder)
        for name, expected in index.sha256.items():
            try:
                check_file(folder, name, expected)
            except BundleError as error:
                raise BundleError(f"{error}; {REMOVE}") from error
        for file in sorted(folder.rglob("*")):
            _refuse_link(file)
            if file.relative_to(folder).as_posix() not in {INDEX, *index.sha256}:
                raise BundleError(f"{file}: was not there when the engines were built; {REMOVE}")


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise BundleError(f"{path}: is a link, and engines lie in the bundle itself; remove the link and run again")


def _visible(folder: Path) -> Sequence[Path]:
    # A hidden folder is a draft that a power cut left behind: nothing ever reads it.
    return sorted(each for each in folder.iterdir() if not each.name.startswith(".")) if folder.is_dir() else []


def _timing_folder(root: Path, sm: str, tensorrt: str) -> Path:
    return root / ENGINES / f"{sm}-{tensorrt}-timings"


def _read_index(folder: Path) -> FolderIndex:
    file = folder / INDEX
    try:
        text = read_text(file)
        index = FolderIndex.model_validate(parse_json(text))
    except (OSError, ValueError) as error:
        cause = mistake(error, FolderIndex) if isinstance(error, ValidationError) else reason(error)
        raise BundleError(f"{file}: not an index of engines: {cause}; {REMOVE}") from error
    if index.sealed().text != text:
        raise BundleError(f"{file}: changed since it was written; {REMOVE}")
    return index


def _read_checked(folder: Path, index: FolderIndex, name: str) -> bytes:
    if name not in index.sha256:
        raise BundleError(f"{folder}: {name} has no hash in {INDEX}; {REMOVE}")
    try:
        check_file(folder, name, index.sha256[name])
        content = (folder / name).read_bytes()
        # What is used is hashed itself: the file may have been replaced since.
        check_hash(folder / name, hashlib.sha256(content).hexdigest(), index.sha256[name])
    except BundleError as error:
        raise BundleError(f"{error}; {REMOVE}") from error
    return content


def _write_folder(target: Path, index: FolderIndex, files: Mapping[str, bytes]) -> Path:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    _refuse_link(target.parent)
    try:
        with whole_folder(target) as draft:
            for name, content in files.items():
                (draft / name).write_bytes(content)
            complete = index.model_copy(update={"sha256": hashes}).sealed()
            (draft / INDEX).write_text(complete.text, encoding="utf-8")
            with suppress(BundleError):  # whoever asks for a trusted bundle is told then
                note_built(complete.seal)
    except OSError as error:
        raise BundleError(
            f"{target}: cannot be written ({reason(error)}); copy the bundle to a folder of yours"
        ) from error
    return target
