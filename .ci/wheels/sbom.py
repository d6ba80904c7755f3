"""Writes what an installed wheel consists of, as a CycloneDX bill of materials.

    python .ci/wheels/sbom.py dist build/sbom/edgecvar.cdx.json

The wheel for this interpreter and machine is installed with what it depends on; to that come the two libraries that are
compiled into its native core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Dict, List

TOP = Path(__file__).resolve().parent.parent.parent


def compiled_in() -> List[Dict[str, object]]:
    """Components that no package of the environment stands for."""
    pybind11, zig = version("pybind11"), version("ziglang")
    return [
        {
            "type": "library",
            "bom-ref": "compiled-in-pybind11",
            "name": "pybind11",
            "version": pybind11,
            "purl": f"pkg:pypi/pybind11@{pybind11}",
            "licenses": [{"license": {"id": "BSD-3-Clause"}}],
            "description": "headers, compiled into the native core",
        },
        {
            "type": "library",
            "bom-ref": "compiled-in-libcxx",
            "name": "libc++, libc++abi and libunwind of LLVM",
            "version": f"as in ziglang {zig}",
            "purl": f"pkg:pypi/ziglang@{zig}",
            "licenses": [{"expression": "Apache-2.0 WITH LLVM-exception"}],
            "description": "the C++ runtime, linked into the native core",
        },
    ]


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: sbom.py FOLDER FILE")
    folder, into = Path(sys.argv[1]), Path(sys.argv[2])
    wanted = f"edgecvar-*-cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-*{os.uname().machine}.whl"
    wheels = list(folder.glob(wanted))
    if len(wheels) != 1:
        sys.exit(f"{folder}: {len(wheels)} files {wanted}, expected one: make wheels makes it")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        bare = Path(place) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        install = [sys.executable, "-m", "pip", "--python", str(bare), "install", "--quiet", str(wheels[0])]
        subprocess.run(install, check=True)
        told = ["--pyproject", str(TOP / "pyproject.toml"), "--output-reproducible", "--output-file", str(into)]
        subprocess.run([sys.executable, "-m", "cyclonedx_py", "environment", *told, str(bare)], check=True)
    bill = json.loads(into.read_text(encoding="utf-8"))
    bill["components"] += compiled_in()
    into.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    print(f"{into}: {len(bill['components'])} components")


if __name__ == "__main__":
    main()
