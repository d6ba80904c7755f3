"""Fetch NVIDIA's Python bindings of TensorRT, without the libraries, for the API contracts (`make bindings`).

They are unpacked side by side in a folder for this Python; versions that have no wheel for it are named and left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import List

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bindings" / "python{}.{}".format(*sys.version_info)
PACKAGES = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",
    "10.16.1": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4.0": "tensorrt-cu13-bindings==11.4.0.106",
}


def missing(folder: Path) -> List[str]:
    """The versions that `folder` lacks."""
    return [version for version in PACKAGES if not (folder / version / "tensorrt_bindings").is_dir()]


def fetch(version: str, folder: Path) -> bool:
    """Unpack one version with pip, the draft renamed when it is whole."""
    draft = folder / f".{version}"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--upgrade"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(draft), PACKAGES[version]]
    if subprocess.run(command, check=False).returncode != 0:
        return False
    draft.rename(folder / version)
    return True


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    folder = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    failed = [PACKAGES[version] for version in missing(folder) if not fetch(version, folder)]
    if failed:
        print(f"not fetched, and their contracts are skipped: {', '.join(failed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
