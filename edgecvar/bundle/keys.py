"""Keys that sign bundles, in minisign's files: Ed25519, the secret one under a password or none."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, Tuple

from edgecvar.documents import read_text
from edgecvar.errors import TrustError, need_extra, reason

COMMENT = "untrusted comment:"
LARGEST = 1 << 16
ALGORITHM = b"Ed"
OPERATIONS, MEMORY = 1 << 25, 1 << 30
"""What a password costs to be tried, as libsodium counts it: seconds, and a gigabyte."""


@dataclass(frozen=True)
class PublicKey:
    """`number`: 8 bytes by which a signature names the key; `raw`: its 32."""

    number: bytes
    raw: bytes

    @property
    def name(self) -> str:
        """As minisign writes the number."""
        return key_name(self.number)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        ed25519 = _ed25519()
        from cryptography.exceptions import InvalidSignature

        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SecretKey:
    """`seed`: the 32 bytes that everything follows from."""

    number: bytes
    seed: bytes

    @property
    def public(self) -> PublicKey:
        private = _ed25519().Ed25519PrivateKey.from_private_bytes(self.seed)
        return PublicKey(self.number, private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        signature: bytes = _ed25519().Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        return signature


def key_name(number: bytes) -> str:
    return f"{int.from_bytes(number, 'little'):016X}"


def read_public_keys(file: Path) -> List[PublicKey]:
    """The keys of a file, each on a line; raises TrustError where there is none, or something else."""
    contents = [_decoded(file, line) for line in key_lines(file)]
    for content in contents:
        if len(content) != 42 or content[:2] != ALGORITHM:
            raise TrustError(f"{file}: no public key as minisign and `edgecvar bundle keygen` write them")
    if not contents:
        raise TrustError(f"{file}: no key in it; name the .pub file of `edgecvar bundle keygen`")
    return [PublicKey(content[2:10], content[10:]) for content in contents]


def read_secret_key(file: Path, password: Callable[[], str]) -> SecretKey:
    """The secret key of a file, whose password is asked for where there is one; raises TrustError."""
    lines = key_lines(file)
    content = _decoded(file, lines[0]) if len(lines) == 1 else b""
    if len(content) != 158 or content[:2] != ALGORITHM or content[4:6] != b"B2":
        raise TrustError(f"{file}: no secret key as minisign and `edgecvar bundle keygen` write them")
    locked, secret = content[2:4] != b"\0\0", content[54:]
    if locked:
        mask = _mask(file, password(), content[6:38], (_number(content[38:46]), _number(content[46:54])))
        secret = bytes(left ^ right for left, right in zip(secret, mask))
    key = SecretKey(secret[:8], secret[8:40])
    if (locked and secret[72:] != _checksum(secret[:72])) or key.public.raw != secret[40:72]:
        raise TrustError(f"{file}: {'another password opens it' if locked else 'damaged: its two halves differ'}")
    return key


def write_keys(file: Path, password: str) -> Tuple[Path, PublicKey]:
    """Make a pair: `file` for its owner alone, and the public key beside it. Raises TrustError where one is there."""
    if not file.name or file.name == ".." or file.is_dir():
        raise TrustError(f"{file}: is a folder; name a file for the secret key, such as {file / 'fleet.key'}")
    public_file = file.with_suffix(".pub")
    if public_file == file:
        raise TrustError(f"{file}: .pub is for the public key; call the secret one {file.with_suffix('.key')}")
    key = SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))
    public, salt = key.public, secrets.token_bytes(32)
    secret = key.number + key.seed + public.raw
    secret += _checksum(secret)
    head = ALGORITHM + (b"Sc" if password else b"\0\0") + b"B2"
    limits = b"".join(limit.to_bytes(8, "little") for limit in (OPERATIONS, MEMORY))
    if password:
        mask = _mask(file, password, salt, (OPERATIONS, MEMORY))
        secret = bytes(left ^ right for left, right in zip(secret, mask))
    else:
        salt, limits = bytes(32), bytes(16)
    written = [(file, "edgecvar secret key", head + salt + limits + secret, 0o600)]
    written.append((public_file, f"minisign public key {public.name}", ALGORITHM + public.number + public.raw, 0o644))
    for target, _, _, _ in written:
        if os.path.lexists(target):
            raise TrustError(f"{target}: is there already, and a key is never overwritten; choose another name")
    with ExitStack() as made:  # both files, or neither
        for target, comment, content, mode in written:
            _write_new(target, f"{COMMENT} {comment}\n{base64.b64encode(content).decode()}\n", mode, made)
        made.pop_all()
    return public_file, public


def key_lines(file: Path) -> List[str]:
    """The lines of a file that are no comment; raises TrustError."""
    try:
        lines = read_text(file, LARGEST).splitlines()
    except (OSError, ValueError) as error:
        raise TrustError(
            f"{file}: no key can be read there ({reason(error)}); name a file of `edgecvar bundle keygen`"
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.startswith(COMMENT)]


def _decoded(file: Path, line: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"{file}: no key as minisign and `edgecvar bundle keygen` write them") from error


def _mask(file: Path, password: str, salt: bytes, limits: Tuple[int, int]) -> bytes:
    """104 bytes that hide a secret key, by libsodium's rule for operations and memory; raises TrustError."""
    size, rounds = costs(*limits)
    try:
        return hashlib.scrypt(
            password.encode(), salt=salt, n=size, r=8, p=rounds, maxmem=1024 * (size + rounds + 16), dklen=104
        )
    except (ValueError, OverflowError, MemoryError) as error:
        raise TrustError(f"{file}: its password cannot be tried ({reason(error)}): it takes a gigabyte") from error


def costs(operations: int, memory: int) -> Tuple[int, int]:
    """scrypt's N and p, with r of 8, for libsodium's limits."""
    operations = max(operations, 1 << 15)
    by_memory = operations >= memory // 32
    most = memory // 1024 if by_memory else operations // 32
    size = 2
    while size <= most // 2:
        size *= 2
    return size, max(1, operations // 4 // size // 8) if by_memory else 1


def _checksum(secret: bytes) -> bytes:
    return hashlib.blake2b(ALGORITHM + secret, digest_size=32).digest()


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")


def _write_new(target: Path, text: str, mode: int, made: ExitStack) -> None:
    """`made` is told how to remove it; raises TrustError."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        made.callback(target.unlink)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise TrustError(f"{target}: cannot be written ({reason(error)})") from error


def _ed25519() -> Any:
    """The library's module; raises ConfigError where it is not installed."""
    need_extra("sign", "a signature", "cryptography")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519
