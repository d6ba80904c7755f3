"""What a deploy brings: a bundle's files and wheels, each by its hash, so that what is there already stays there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from edgecvar import __version__
from edgecvar.bundle.manifest import MANIFEST, SUFFIX, Bundle
from edgecvar.bundle.signing import SIGNATURE
from edgecvar.errors import ConfigError
from edgecvar.files import sha256_of


@dataclass(frozen=True)
class Part:
    """One file: its hash, its bytes and where they are here."""

    sha256: str
    size: int
    path: Path


@dataclass(frozen=True)
class Wheels:
    """Of edgecvar, which is `own`, and of what it needs, by file name; without `own` it comes from the index."""

    version: str = __version__
    own: Optional[str] = None
    parts: Dict[str, Part] = field(default_factory=dict)

    def tag(self, offline: bool) -> str:
        """By which environments are told apart: another build is another, `offline` also with another wheel beside."""
        if offline:
            every = "".join(sorted(part.sha256 for part in self.parts.values()))
            return f"{self.version}-{sha256(every.encode()).hexdigest()[:8]}"
        digest = self.parts[self.own].sha256[:8] if self.own else "index"
        return f"{self.version}-{digest}"


def part_of(path: Path) -> Part:
    """Raises OSError."""
    return Part(sha256_of(path), path.stat().st_size, path)


def release_files(bundle: Bundle, name: str, trust: Optional[Path]) -> Dict[str, Part]:
    """The files of a release by their place in it; engines are none of them, the device builds its own."""
    names = [*bundle.manifest.sha256, MANIFEST, *([SIGNATURE] if (bundle.path / SIGNATURE).is_file() else [])]
    files = {f"{name}/{each}": part_of(bundle.path / each) for each in names}
    return files if trust is None else {**files, "trust.pub": part_of(trust)}


def folder_name(bundle: Bundle) -> str:
    """NAME.edgecvar of letters that stand in a path, a unit and a shell as they are."""
    plain = re.sub(r"[^A-Za-z0-9._+]", "_", bundle.path.resolve().name).lstrip(".") or "bundle"
    return plain if plain.endswith(SUFFIX) else plain + SUFFIX


def find_wheels(given: Optional[Path], python: Sequence[int], machine: str) -> Wheels:
    """The wheel, or those of a folder, that suit a device; raises ConfigError where none of edgecvar does."""
    if given is None:
        return Wheels()
    files = sorted(given.glob("*.whl")) if given.is_dir() else [given]
    able = [file for file in files if file.suffix == ".whl" and file.is_file() and fits(file.name, python, machine)]
    own = [file for file in able if file.name.startswith("edgecvar-")]
    newest = [file for file in own if file.name.split("-")[1] == __version__] or own
    if len(newest) != 1:
        found = ", ".join(file.name for file in newest or files) or "nothing"
        kind = "more than one wheel" if newest else "no wheel"
        raise ConfigError(
            f"{given}: {kind} of edgecvar for Python {python[0]}.{python[1]} on {machine} ({found[:300]}); "
            "name one with --wheel"
        )
    (chosen,) = newest
    parts = {file.name: part_of(file) for file in able if file is chosen or file not in own}
    return Wheels(chosen.name.split("-")[1], chosen.name, parts)


def fits(name: str, python: Sequence[int], machine: str) -> bool:
    """Whether a wheel's tags are those of a Python and a machine; which libc it wants is pip's to say."""
    parts = name[: -len(".whl")].split("-")
    if len(parts) < 5:
        return False
    pythons, abis, platforms = (part.split(".") for part in parts[-3:])
    own = f"cp{python[0]}{python[1]}"
    exact = {own, f"py{python[0]}", f"py{python[0]}{python[1]}"}
    builds = {own, "none"}  # and none that is free-threaded
    return ("abi3" in abis or bool(exact & set(pythons) and builds & set(abis))) and _any_of(platforms, machine)


def _any_of(platforms: List[str], machine: str) -> bool:
    return any(each == "any" or each.endswith(f"_{machine}") for each in platforms)
