"""The bundle: one folder NAME.edgecvar/ with manifest.json and onnx/, opened only when every hash agrees."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecvar.bundle.engines import ENGINES, check_engines
from edgecvar.bundle.exits import ExitRecord, exits_of
from edgecvar.bundle.hashes import bears_seal, check_file, check_hash
from edgecvar.bundle.hashes import sealed as sealed
from edgecvar.bundle.precision import PRECISIONS, Int8Record, Precision
from edgecvar.bundle.signing import MANIFEST as MANIFEST
from edgecvar.bundle.signing import SIGNATURE, signature_file, signer_of
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.config import mistake
from edgecvar.documents import as_text, parse_json, read_document
from edgecvar.errors import BundleError, reason
from edgecvar.files import sha256_of

SCHEMA: Literal[2] = 2
SUFFIX = ".edgecvar"


class StageFile(BaseModel):
    """One stage at one precision: its ONNX file and the largest difference to torch's fp32 seen when it was made.

    `strongly_typed`: a second int8 file, whose types say everything, for engines that keep to them (TensorRT 11).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    precision: Precision
    strongly_typed: bool = False
    path: str
    max_difference: float = Field(ge=0)


class Provenance(BaseModel):
    """Where a bundle comes from. `untrained` weights are random: for profiling only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    untrained: bool = False
    recipe: Optional[str] = None
    git_commit: Optional[str] = None
    checkpoint_sha256: Optional[str] = None
    tools: Dict[str, str] = Field(default_factory=dict)


class Manifest(BaseModel):
    """What manifest.json holds.

    `sha256` maps every other file of the bundle to its hash; `seal` is the sha256 of this document with an empty seal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = SCHEMA
    labels: List[str] = Field(min_length=1)
    input: InputSpec
    stages: List[StageSpec] = Field(min_length=1)
    files: List[StageFile]
    provenance: Provenance
    int8: Optional[Int8Record] = None
    exits: Optional[ExitRecord] = None
    sha256: Dict[str, str] = Field(default_factory=dict)
    seal: str = ""

    @model_validator(mode="after")
    def _stages_are_a_chain(self) -> Manifest:
        shapes = {source: list(self.input.shape(source)) for source in PREPARED}
        names = [stage.name for stage in self.stages]
        for what, listed in (("stage", names), ("label", self.labels)):
            if len(set(listed)) != len(listed):
                raise ValueError(f"a {what} is named twice")
        for stage in self.stages:
            for tensor in stage.inputs:
                if tensor.source not in shapes:
                    raise ValueError(f"stage {stage.name}: input {tensor.name} takes {tensor.source!r}, unknown here")
                shape = shapes[tensor.source] if tensor.segments is None else [tensor.segments, *shapes[tensor.source]]
                if tensor.shape != shape:
                    raise ValueError(f"stage {stage.name}: input {tensor.name} is {tensor.shape}, not {shape}")
            # From here on the stage hides a prepared input of its name.
            shapes[stage.name] = stage.output_shape
        if self.stages[-1].output_shape != [len(self.labels)]:
            raise ValueError("the last stage must give one score a label")
        ruled = [rule.stage for rule in self.exits.rules] if self.exits is not None else []
        if ruled and ruled != exits_of(self.stages):
            raise ValueError(f"exits: rules of {ruled}, and the exits are {exits_of(self.stages)}")
        return self


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its folder and its manifest, every hash checked.

    `signed_by`: the name of the key that was trusted and had signed it; None where nobody asked.
    """

    path: Path
    manifest: Manifest
    signed_by: Optional[str] = None

    def __repr__(self) -> str:
        return f"<Bundle {self.name}: {', '.join(self.precisions)}>"

    @property
    def name(self) -> str:
        return self.path.name[: -len(SUFFIX)] if self.path.name.endswith(SUFFIX) else self.path.name

    @property
    def precisions(self) -> List[Precision]:
        """What every stage has a file of, in the order of PRECISIONS."""
        pairs = {(entry.stage, entry.precision) for entry in self.manifest.files if not entry.strongly_typed}
        return [each for each in PRECISIONS if all((stage.name, each) in pairs for stage in self.manifest.stages)]

    def stage_file(self, stage: str, precision: str = "fp32", strongly_typed: bool = False) -> Path:
        """The ONNX file of a stage, the strongly typed one if asked for and there; raises BundleError without any."""
        found = [entry for entry in self.manifest.files if (entry.stage, entry.precision) == (stage, precision)]
        if not found:
            raise BundleError(f"{self.path}: no {precision} file for stage {stage!r}; compile the bundle again")
        return self.path / min(found, key=lambda entry: entry.strongly_typed != strongly_typed).path

    def content(self, file: Path) -> bytes:
        """The bytes of a file of the bundle, held against the manifest as they are read; raises BundleError.

        What is used is hashed itself: the file may have been replaced since the bundle was opened. One that is being
        compiled has no seal, and no hashes yet.
        """
        name = file.relative_to(self.path).as_posix()
        try:
            content = file.read_bytes()
        except OSError as error:
            raise BundleError(f"{file}: cannot be read ({reason(error)}); copy the whole folder again") from error
        if self.manifest.seal:
            check_hash(file, hashlib.sha256(content).hexdigest(), self.manifest.sha256.get(name, ""))
        return content


def open_bundle(path: Path, trust: Optional[Path] = None) -> Bundle:
    """Open a bundle and check the hash of every file in it; raises BundleError.

    `trust`: a file of public keys, one of which must have signed the manifest; raises TrustError.
    """
    document = path / MANIFEST
    if not document.is_file():
        raise BundleError(f"{path}: not a bundle (no {MANIFEST}); make one with `edgecvar compile`")
    signature_file(path)
    signed_by: Optional[str] = None
    try:
        content = read_document(document)
        if trust is not None:
            signed_by = signer_of(path, content, trust).name
        text = as_text(content)
        fields = parse_json(text)
        version = fields.get("schema_version") if isinstance(fields, dict) else None
        if isinstance(version, int) and version != SCHEMA:
            raise BundleError(
                f"{path}: a bundle of schema {version}, and this edgecvar reads {SCHEMA}; compile it again"
            )
        manifest = Manifest.model_validate(fields)
    except (OSError, ValueError) as error:
        cause = mistake(error, Manifest) if isinstance(error, ValidationError) else reason(error)
        raise BundleError(f"{document}: not a manifest of schema {SCHEMA}: {cause}") from error
    if not bears_seal(text, manifest.seal):
        raise BundleError(f"{document}: changed since it was compiled; copy the whole folder again")
    for name in [entry.path for entry in manifest.files]:
        if name not in manifest.sha256:
            raise BundleError(f"{path}: {name} has no hash in the manifest; compile the bundle again")
    for name, expected in manifest.sha256.items():
        check_file(path, name, expected)
    for file in sorted((path / "onnx").rglob("*")):
        # A model may load its neighbours, so each of them must have been hashed.
        if not file.is_dir() and file.relative_to(path).as_posix() not in manifest.sha256:
            raise BundleError(f"{file}: not part of the bundle when it was compiled; copy the whole folder again")
    check_engines(path)
    return Bundle(path, manifest, signed_by)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Hash every file in `folder` and write manifest.json; returns the manifest with its hashes and seal.

    engines/ is left out: it belongs to the device that builds it, and has hashes of its own.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name not in (MANIFEST, SIGNATURE))
    names = {file.relative_to(folder): file for file in files if file.relative_to(folder).parts[0] != ENGINES}
    hashes = {name.as_posix(): sha256_of(file) for name, file in names.items()}
    bare = manifest.model_copy(update={"sha256": hashes, "seal": ""})
    text = sealed(bare.model_dump_json(indent=2) + "\n")
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return Manifest.model_validate_json(text)
