"""Builds the source distribution, and from it wheels for Linux: every Python that is supported, on both processors.

    python .ci/wheels/build.py dist [--python 3.8 --python 3.12] [--processor aarch64]

Zig's compiler (zig.cmake) makes all of them on any machine; it keeps what it has compiled, so the parsers, which know
nothing of Python, are compiled once a processor. auditwheel then says by what they want of the C library which
manylinux they are. Runs in an environment that has requirements.txt.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

from pythons import headers

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
WORK = TOP / "build" / "wheels"
PROCESSORS = ("x86_64", "aarch64")
# 3.13t is left out: PyAV and PyYAML have no wheels for it.
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.14t")
GLIBC_MINOR = 17
LARGEST_MB = 6


@dataclass(frozen=True)
class Target:
    """One wheel: for which Python ("3.14t" is the free-threaded one) and processor."""

    version: str
    processor: str

    @property
    def abi(self) -> str:
        return "cp" + self.version.replace(".", "")

    @property
    def tag(self) -> str:
        """Before auditwheel has seen it."""
        return f"{self.abi.rstrip('t')}-{self.abi}-linux_{self.processor}"

    @property
    def suffix(self) -> str:
        return f".cpython-{self.abi[2:]}-{self.processor}-linux-gnu.so"


def run(*words: object) -> None:
    """One command, quiet unless it fails."""
    done = subprocess.run([*map(str, words)], env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def environment() -> Dict[str, str]:
    """This environment's tools first, and Zig's cache beside what is built."""
    tools = str(Path(sys.executable).parent)
    cache = str(WORK / "zig")
    return {
        **os.environ,
        "PATH": os.pathsep.join([tools, os.environ["PATH"]]),
        "ZIG_GLOBAL_CACHE_DIR": cache,
        "ZIG_LOCAL_CACHE_DIR": cache,
    }


def source_distribution(into: Path) -> Path:
    """Makes the sdist, and gives the folder that it unpacks to: what is built from is what is published."""
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", into, TOP)
    (archive,) = into.glob("edgecvar-*.tar.gz")
    shutil.rmtree(WORK / "source", ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(WORK / "source", filter="data")
    print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB", flush=True)
    return WORK / "source" / archive.name[: -len(".tar.gz")]


def defines(target: Target, include: Path) -> Dict[str, str]:
    """What CMake cannot ask an interpreter for, because none of the target's need be here."""
    told = {
        "PROCESSOR": target.processor,
        "Python_INCLUDE_DIR": str(include),
        "PYTHON_MODULE_EXTENSION": target.suffix,
        "PYTHON_MODULE_DEBUG_POSTFIX": "",
    }
    flags = [f"-isystem {HERE / 'include'}"]
    if target.version.endswith("t"):
        # Its headers are the same but for this line of pyconfig.h.
        flags.append("-DPy_GIL_DISABLED=1")
    return {**told, "CMAKE_CXX_FLAGS": " ".join(flags)}


def wheel(target: Target, source: Path, into: Path) -> Path:
    """Builds, audits, and puts a wheel under its final name."""
    include = headers(target.version.rstrip("t"), target.processor, WORK / "debian")
    if include is None:
        sys.exit(f"Python {target.version}: no headers; install it so that it is on PATH, or name others with --python")
    place = WORK / target.tag
    settings = {
        "build-dir": str(place / "build"),
        "cmake.toolchain-file": str(HERE / "zig.cmake"),
        "cmake.python-hints": "false",
        "wheel.tags": target.tag,
        **{f"cmake.define.{name}": value for name, value in defines(target, include).items()},
    }
    shutil.rmtree(place, ignore_errors=True)
    options = [f"--config-setting={name}={value}" for name, value in settings.items()]
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", *options, "--outdir", place, source)
    (built,) = place.glob("*.whl")
    # Says by the module itself for which C library it is; refuses instructions that not every processor has.
    run("auditwheel", "repair", "--wheel-dir", into, built)
    (done,) = into.glob(f"*-{target.tag.rsplit('-', 1)[0]}-*{target.processor}.whl")
    told = re.search(r"manylinux_2_(\d+)_", done.name)
    if told is None or int(told.group(1)) > GLIBC_MINOR:
        sys.exit(f"{done.name}: wants more than glibc 2.{GLIBC_MINOR}")
    return done


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Builds the sdist and wheels of edgecvar.")
    parser.add_argument("into", type=Path, help="folder for them")
    parser.add_argument("--python", action="append", choices=VERSIONS)
    parser.add_argument("--processor", action="append", choices=PROCESSORS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    options.into.mkdir(parents=True, exist_ok=True)
    for old in options.into.glob("edgecvar-*"):
        old.unlink()
    source = source_distribution(options.into)
    targets: List[Target] = [
        Target(version, name) for name in options.processor or PROCESSORS for version in options.python or VERSIONS
    ]
    for target in targets:
        start = time.monotonic()
        done = wheel(target, source, options.into)
        size = done.stat().st_size / 1e6
        if size > LARGEST_MB:
            sys.exit(f"{done.name}: {size:.1f} MB, more than {LARGEST_MB}")
        print(f"{done.name}: {size:.2f} MB, {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
