"""Asks for everything that is pinned here: wheels for each JetPack's Python and glibc, sources, base images.

    python3 jetson/check_pins.py

It wants pip 23 or newer and its index; images are asked for where docker is. Packages of NVIDIA's apt repositories are
not checked.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# JetPack: constraints, Python, glibc 2.x of its Ubuntu, and the sources that are built instead of a wheel.
JETPACKS = {
    "4.6": ("constraints-python38.txt", "3.8", 27, ("pycuda",)),
    "5.1": ("constraints-python38.txt", "3.8", 31, ("pycuda",)),
    "6": ("constraints-python310.txt", "3.10", 35, ("pycuda",)),
    "7": ("constraints-python312.txt", "3.12", 39, ("pycuda",)),
}


def read_pins(file):
    """Lines of name==version."""
    lines = (line.split("#")[0].strip() for line in (HERE / file).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def pip(*arguments):
    """None when pip finds it, else the last line of what it says."""
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return None if done.returncode == 0 else (errors or done.stderr.splitlines() or ["pip failed"])[-1]


def check_wheels(pins, python, glibc):
    platforms = ["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, glibc + 1))]
    with tempfile.TemporaryDirectory() as folder:
        return pip(
            "install", "--dry-run", "--no-deps", "--ignore-installed", "--only-binary=:all:", "--target", folder,
            "--implementation", "cp", "--python-version", python,
            *(f"--platform={platform}" for platform in platforms), *pins,
        )  # fmt: skip


def check_source(pin, python):
    name, version = pin.split("==")
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--no-binary=:all:", "--python-version", python]
    done = subprocess.run(command, capture_output=True, text=True)
    offered = re.findall(r"[\w.]+", done.stdout.partition("Available versions:")[2].partition("\n")[0])
    return None if version in offered else f"{pin} is not offered as source for Python {python}"


def check_images():
    """Lines to print, each with whether it is fine; what cannot be asked is said, and fine."""
    for file in sorted(HERE.glob("Dockerfile.*")):
        image = re.findall(r"^FROM (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)[0]
        if shutil.which("docker") is None:
            yield f"{file.name}: {image} was not asked for: no docker here", True
            continue
        command = ["docker", "manifest", "inspect", image]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            yield f"{file.name}: {image} is there", True
        elif "manifest unknown" in done.stderr or "no such manifest" in done.stderr:
            yield f"{file.name}: {image} is missing", False
        else:
            yield f"{file.name}: {image} was not answered for: {done.stderr.strip()[-80:]}", True


def main():
    good = True
    for jetpack, (file, python, glibc, sources) in JETPACKS.items():
        pins = read_pins(file)
        versions = dict(pin.split("==") for pin in pins)
        built = [name if "==" in name else f"{name}=={versions[name]}" for name in sources]
        wheels = [pin for pin in pins if pin not in built]
        problems = [check_wheels(wheels, python, glibc), *(check_source(pin, python) for pin in built)]
        found = [problem for problem in problems if problem]
        good = good and not found
        counted = f"{len(wheels)} wheels for Python {python}, glibc 2.{glibc}, and {', '.join(built)} as source"
        print(f"JetPack {jetpack}: " + ("; ".join(found) if found else counted))
    for line, fine in check_images():
        good = good and fine
        print(line)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
