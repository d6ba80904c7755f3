"""Tries wheels as a new user would, and says in one line of each what came of it.

    python .ci/wheels/check.py dist --reference .venv/bin/python

Each goes into a bare environment of its own Python, with nothing but that environment on PATH, by `pip install WHEEL`;
then `edgecvar run` reads the demo's clip, and its decisions are to be those of `--reference`, whose core this machine's
own compiler made. What is for another processor is emulated (qemu-user), with Debian's Python. What has no Python here
is only looked into: it is to take from Python what the other processor's wheel for that Python takes. That is a failure
where it is for this machine's own processor, unless its Python is named as untried.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

from elftools.elf.elffile import ELFFile
from pythons import Python, runnable

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CLIP = TOP / "edgecvar" / "demo" / "clip.mp4"
SAME = TOP / "jetson" / "same_decisions.py"
LOCK_IS_OFF = "import sys; import edgecvar.stream.native._core; sys.exit(sys._is_gil_enabled())"
DEBIAN = TOP / "build" / "wheels" / "debian"


def of(wheel: Path) -> Tuple[str, str]:
    """Its Python ("3.8", "3.14t") and its processor."""
    _, _, _, abi, platform = wheel.stem.split("-")
    return f"3.{abi[3:]}", "aarch64" if platform.endswith("aarch64") else "x86_64"


def bare(path: Path, pip: Optional[List[Path]] = None) -> Dict[str, str]:
    """The environment of a new user, who has no compiler and no checkout; pip's own settings stay."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HOME", "LANG", "SSL_"))}
    kept.update(PATH=str(path / "bin"), PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ONLY_BINARY=":all:", OMP_NUM_THREADS="1")
    if pip:
        kept["PYTHONPATH"] = os.pathsep.join(map(str, pip))
    return kept


def install(python: Python, wheel: Path, place: Path) -> List[str]:
    """A new environment with the wheel in it; gives the words that start `edgecvar` there."""
    emulated = python.pip is not None
    words = ["-m", "venv", *(["--without-pip"] if emulated else []), place]
    python.run(python.executable, *words, check=True, capture_output=True, env=bare(place))
    interpreter = str(place / "bin" / "python")
    command = [interpreter, "-m", "pip", "install", "--quiet", wheel.resolve()]
    python.run(*command, check=True, capture_output=True, text=True, env=bare(place, python.pip), cwd=place)
    if of(wheel)[0].endswith("t"):
        python.run(
            interpreter, "-c", LOCK_IS_OFF, check=True, capture_output=True, text=True, env=bare(place), cwd=place
        )
    return [*python.launcher, interpreter, "-m", "edgecvar"] if emulated else [str(place / "bin" / "edgecvar")]


def decide(words: List[str], into: Path, environment: Dict[str, str], folder: Path) -> None:
    """`edgecvar run` of the demo's clip; `words` start `edgecvar`."""
    command = [*words, "run", str(CLIP), "--runner", "onnx", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder)
    into.write_text(done.stdout, encoding="utf-8")


def tried(python: Python, wheel: Path, reference: Path) -> str:
    """Installs and runs it; what to say of it. CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bare"
        words = install(python, wheel, place)
        decisions = Path(folder) / "decisions.jsonl"
        decide(words, decisions, bare(place), place)
        told = subprocess.run(
            [sys.executable, str(SAME), str(reference), str(decisions)], capture_output=True, text=True, check=True
        )
    return told.stdout.strip()


def symbols(wheel: Path) -> Set[str]:
    """What its native core takes from Python."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith(".so")]
        table = ELFFile(BytesIO(files.read(name))).get_section_by_name(".dynsym")
    return {symbol.name for symbol in table.iter_symbols() if symbol.name.startswith(("Py", "_Py"))} - {"PyInit__core"}


def looked_into(wheel: Path) -> str:
    """What a wheel that cannot be run here has in common with the other processor's."""
    version, processor = of(wheel)
    others = [file for file in wheel.parent.glob(wheel.name.split("manylinux")[0] + "*.whl") if file != wheel]
    told = f"NOT RUN: no Python {version} for {processor} here"
    for other in others:
        differing = symbols(wheel) ^ symbols(other)
        if differing:
            sys.exit(f"{wheel.name} and {other.name} do not take the same from Python: {sorted(differing)}")
        told += f"; takes from Python what {of(other)[1]}'s does"
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Tries wheels as a new user would.")
    parser.add_argument("folder", type=Path, help="of the wheels")
    parser.add_argument("--reference", required=True, help="an interpreter that has edgecvar, compiled here")
    parser.add_argument("--processor", action="append", help="try those for it alone")
    parser.add_argument("--untried", action="append", default=[], help="a Python that need not be here")
    options = parser.parse_args()
    wheels = [
        wheel
        for wheel in sorted(options.folder.glob("edgecvar-*.whl"))
        if not options.processor or of(wheel)[1] in options.processor
    ]
    if not wheels:
        sys.exit(f"no wheels of edgecvar in {options.folder}: make wheels makes them")
    failed = tries = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.jsonl"
        decide([options.reference, "-m", "edgecvar"], reference, {**os.environ, "OMP_NUM_THREADS": "1"}, TOP)
        for wheel in wheels:
            version, processor = of(wheel)
            python = runnable(version, processor, DEBIAN)
            emulated = ", emulated" if python and processor != os.uname().machine else ""
            try:
                told = tried(python, wheel, reference) if python else looked_into(wheel)
            except subprocess.CalledProcessError as error:
                failed += 1
                told = f"FAILED: {error.cmd[-5:]}\n{error.stdout}\n{error.stderr}"
            tries += python is not None
            failed += python is None and processor == os.uname().machine and version not in options.untried
            print(f"Python {version} {processor}{emulated}, {wheel.stat().st_size / 1e6:.1f} MB: {told}", flush=True)
    sys.exit(1 if failed or not tries else 0)


if __name__ == "__main__":
    main()
