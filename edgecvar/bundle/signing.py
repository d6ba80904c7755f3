"""Signatures of bundles: of manifest.json, which has the hash of every other file, in minisign's format.

`minisign -Vm manifest.json -p KEY.pub` checks the same file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from edgecvar.bundle.hashes import bears_seal
from edgecvar.bundle.keys import COMMENT, PublicKey, key_name, read_public_keys, read_secret_key
from edgecvar.documents import as_text, read_document, read_text
from edgecvar.errors import TrustError, reason
from edgecvar.files import whole_file
from edgecvar.terminal import printable

MANIFEST = "manifest.json"
SIGNATURE = f"{MANIFEST}.minisig"
TRUSTED = "trusted comment: "
LARGEST = 1 << 14
PLAIN, HASHED = b"Ed", b"ED"
"""Of what is signed: the document, or its BLAKE2b hash, which minisign has written since 2022."""


@dataclass(frozen=True)
class Signature:
    """What a .minisig file holds; `comment` is signed too, by `bound` together with the signature."""

    algorithm: bytes
    number: bytes
    raw: bytes
    comment: str
    bound: bytes

    @property
    def key_name(self) -> str:
        """The key that it says it is of."""
        return key_name(self.number)


def check_signature(folder: Path, key_file: Path) -> None:
    """A bundle's manifest is signed by a key of `key_file`; raises TrustError, and ConfigError without the library.

    `open_bundle(folder, trust=key_file)` holds every file against that manifest, too.
    """
    try:
        document = read_document(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise TrustError(f"{folder / MANIFEST}: cannot be read ({reason(error)})") from error
    signer_of(folder, document, key_file)


def signer_of(folder: Path, document: bytes, key_file: Path) -> PublicKey:
    """The key, of those in `key_file`, that signed these bytes of a manifest; raises as `check_signature` does."""
    keys = read_public_keys(key_file)
    signature = read_signature(folder)
    trusted = ", ".join(key.name for key in keys)
    if signature is None:
        raise TrustError(
            f"{folder}: not signed, and only what key {trusted} ({key_file}) signed is trusted; "
            "sign it where it was compiled: edgecvar bundle sign BUNDLE --key FILE"
        )
    key = next((key for key in keys if key.number == signature.number), None)
    if key is None:
        raise TrustError(
            f"{folder}: signed by key {signature.key_name}, and only {trusted} ({key_file}) is trusted; "
            "get the bundle from whoever has that key"
        )
    bound = signature.raw + signature.comment.encode()
    if not key.verifies(signature.raw, _message(signature.algorithm, document)) or not key.verifies(
        signature.bound, bound
    ):
        raise TrustError(
            f"{folder}: {MANIFEST} is not what key {key.name} signed: it was changed since, or compiled again; "
            "copy the whole folder again"
        )
    return key


def signature_file(folder: Path) -> Path:
    """Where the signature lies, or would; raises TrustError for a link, through which a new one would be written."""
    file = folder / SIGNATURE
    if file.is_symlink():
        raise TrustError(f"{file}: is a link, and a signature is a file of the bundle; copy the whole folder again")
    return file


def read_signature(folder: Path) -> Optional[Signature]:
    """The signature beside a manifest, not held against anything; None where there is none. Raises TrustError."""
    file = signature_file(folder)
    try:
        text = read_text(file, LARGEST)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TrustError(f"{file}: cannot be read ({reason(error)})") from error
    lines = text.rstrip("\n").split("\n")
    try:
        if len(lines) != 4 or not lines[0].startswith(COMMENT) or not lines[2].startswith(TRUSTED):
            raise ValueError("not four lines")
        first, bound = (base64.b64decode(line, validate=True) for line in (lines[1], lines[3]))
        if len(first) != 74 or len(bound) != 64 or first[:2] not in (PLAIN, HASHED):
            raise ValueError("other sizes")
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"{file}: not a signature as minisign writes them; copy it again") from error
    return Signature(first[:2], first[2:10], first[10:], lines[2][len(TRUSTED) :], bound)


def sign(folder: Path, seal: str, key_file: Path, password: Callable[[], str]) -> PublicKey:
    """Sign the manifest that has this seal, of an opened bundle, and write the signature beside it.

    Raises TrustError, also where it is another manifest by now, OSError and ConfigError.
    """
    key = read_secret_key(key_file, password)
    document = read_document(folder / MANIFEST)
    if not _bears_seal(document, seal):  # a password takes its time to be typed
        raise TrustError(f"{folder / MANIFEST}: changed while it was being signed; sign it again")
    signature = key.sign(_message(HASHED, document))
    comment = f"timestamp:{int(time.time())}\tfile:{MANIFEST}\tbundle:{printable(folder.resolve().name)}"
    bound = key.sign(signature + comment.encode())
    first, second = (base64.b64encode(each).decode() for each in (HASHED + key.number + signature, bound))
    with whole_file(signature_file(folder)) as draft:
        lines = (f"{COMMENT} signature of a bundle by edgecvar", first, f"{TRUSTED}{comment}", second)
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return key.public


def _bears_seal(document: bytes, seal: str) -> bool:
    try:
        return bears_seal(as_text(document), seal)
    except ValueError:
        return False


def _message(algorithm: bytes, document: bytes) -> bytes:
    return hashlib.blake2b(document).digest() if algorithm == HASHED else document
