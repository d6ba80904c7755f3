"""What a bundle is, as far as its folder tells: stages, files, engines, signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

from edgecvar.bundle.engines import HeldEngines, held_engines
from edgecvar.bundle.manifest import MANIFEST, Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.signing import SIGNATURE, read_signature
from edgecvar.plain_yaml import parse_yaml


@dataclass(frozen=True)
class HeldFile:
    """A file that the manifest has the hash of; `stage` and `precision` where it is a stage's."""

    path: str
    sha256: str
    size_bytes: int
    stage: Optional[str] = None
    precision: Optional[Precision] = None
    strongly_typed: bool = False
    max_difference: Optional[float] = None


@dataclass(frozen=True)
class Signed:
    """`key`: the name of the key; `checked`: whether it was held against a key that is trusted, else it is a claim.

    `comment`: what was signed with it.
    """

    key: str
    comment: str
    checked: bool


@dataclass(frozen=True)
class Contents:
    """Sizes are those of the files here; `carried_bytes`: what goes to another device, which builds its own engines."""

    bundle: Bundle
    files: Tuple[HeldFile, ...]
    engines: Tuple[HeldEngines, ...]
    signature: Optional[Signed]
    carried_bytes: int


def recipe_of(text: Optional[str]) -> Any:
    """The recipe that a bundle's provenance holds, as a mapping where it is one, else as it stands there."""
    try:
        return None if text is None else parse_yaml(text)
    except ValueError:
        return text


def contents_of(bundle: Bundle) -> Contents:
    """Look through an opened bundle; raises BundleError and OSError."""
    by_path = {entry.path: entry for entry in bundle.manifest.files}
    files: List[HeldFile] = []
    for path, digest in sorted(bundle.manifest.sha256.items()):
        held, size = by_path.get(path), (bundle.path / path).stat().st_size
        if held is None:
            files.append(HeldFile(path, digest, size))
        else:
            told = (held.stage, held.precision, held.strongly_typed, held.max_difference)
            files.append(HeldFile(path, digest, size, *told))
    signature = read_signature(bundle.path)
    signed = None
    if signature is not None:
        signed = Signed(signature.key_name, signature.comment, bundle.signed_by is not None)
    beside = [MANIFEST] + [SIGNATURE] * (signature is not None)
    carried = sum(file.size_bytes for file in files) + sum((bundle.path / name).stat().st_size for name in beside)
    return Contents(bundle, tuple(files), tuple(held_engines(bundle.path)), signed, carried)
