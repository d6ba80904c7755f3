"""What a device needs: scripts and images that lint, pins that agree, refusals in one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgecvar.bundle.devices import DEVICES

TOP = Path(__file__).resolve().parent.parent
UNITS = {"edgecvar.service": "run", "edgecvar@.service": "serve"}
JETSON = TOP / "jetson"
SCRIPTS = sorted(JETSON.glob("*.sh"))
INSTALLS = {script.stem.split("-")[1]: script for script in JETSON.glob("install-*.sh")}
PYTHONS = {"constraints-python38.txt": "3.8", "constraints-python310.txt": "3.10", "constraints-python312.txt": "3.12"}


def linter(name):
    """The linter's path, beside this interpreter or on PATH; skips where it is not installed."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=str(TOP), timeout=60, **options,
    )  # fmt: skip


def expect(arguments, release, machine="aarch64", user=0):
    """Runs steps.sh's `expect` on a machine of that kind, with that release file."""
    fake = f"uname() {{ echo {machine}; }}; id() {{ echo {user}; }}; L4T_RELEASE={release}"
    return run("bash", "-euo", "pipefail", "-c", f". jetson/steps.sh; {fake}; expect {arguments} && echo passed")


def pins(file):
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def test_scripts_pass_shellcheck():
    done = run(linter("shellcheck"), "--external-sources", *SCRIPTS)
    assert done.returncode == 0, done.stdout


def test_images_pass_hadolint():
    done = run(linter("hadolint"), *sorted(JETSON.glob("*Dockerfile*")))
    assert done.returncode == 0, done.stdout


def test_each_jetpack_has_a_script_and_an_image_and_each_jetson_a_jetpack():
    assert sorted(INSTALLS) == ["jp46", "jp51", "jp6", "jp7"]
    assert {file.suffix[1:] for file in JETSON.glob("Dockerfile.*")} == set(INSTALLS)
    served = {"4.6": "jp46", "5.1": "jp51", "6": "jp6", "7": "jp7"}
    for device in DEVICES.values():
        for version in device.jetpack or ():
            assert version in served or version.split(".")[0] in served, device.name


@pytest.mark.parametrize("jetpack", sorted(INSTALLS))
def test_a_script_stops_at_once_and_takes_the_pins_of_its_python(jetpack):
    text = INSTALLS[jetpack].read_text(encoding="utf-8")
    assert "\nset -euo pipefail\n" in text
    python, file = re.findall(r"^environment python(\S+) (\S+)$", text, re.MULTILINE)[0]
    assert PYTHONS[file] == python
    assert f"install-{jetpack}.sh --container" in (JETSON / f"Dockerfile.{jetpack}").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="wants bash and Linux")
@pytest.mark.parametrize(("option", "runner"), [("", "trt"), ("--container", "onnx")])
def test_the_first_run_has_no_tensorrt_while_an_image_is_built(tmp_path, option, runner):
    (tmp_path / "bin").mkdir()
    for name in ("edgecvar", "python"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$1" "$2" "$3"\n', encoding="utf-8")
        program.chmod(0o755)
    steps = f"TARGET={tmp_path}; . jetson/steps.sh; ln() {{ :; }}; finish {option}"
    done = run("bash", "-euo", "pipefail", "-c", steps)
    assert f"edgecvar run --runner {runner}" in done.stdout
    assert ("python -c" in done.stdout) == (runner == "trt")


@pytest.mark.parametrize("jetpack", sorted(INSTALLS))
def test_an_image_runs_a_bundle_that_its_user_may_build_engines_into(jetpack):
    text = (JETSON / f"Dockerfile.{jetpack}").read_text(encoding="utf-8")
    assert text.index("USER 990") < text.index("COPY --chown=990 edgecvar/demo/motion.edgecvar motion.edgecvar")
    assert '"--bundle", "motion.edgecvar"]' in text.splitlines()[-1]


def test_a_build_on_a_device_has_the_files_that_the_project_names():
    """Readme and licence: without them there is no package."""
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    files = re.findall(r'^(?:readme = "|license-files = \[")([^"]+)"', project, re.MULTILINE)
    assert files == ["README.md", "LICENSE"]
    for script in [*JETSON.glob("Dockerfile.*"), JETSON / "emulate.sh"]:
        assert f"pyproject.toml {' '.join(files)} " in script.read_text(encoding="utf-8"), script.name


def test_what_the_scripts_pin_is_what_check_pins_asks_for():
    sys.path.insert(0, str(JETSON))
    try:
        from check_pins import JETPACKS
    finally:
        sys.path.remove(str(JETSON))
    for jetpack, (file, python, _, sources) in JETPACKS.items():
        text = INSTALLS[f"jp{jetpack.replace('.', '')}"].read_text(encoding="utf-8")
        assert f"environment python{python} {file}\n" in text
        assert sources == ("pycuda",)


@pytest.mark.skipif(sys.platform != "linux", reason="wants bash and Linux")
def test_the_bindings_get_the_version_that_is_installed(tmp_path):
    header = tmp_path / "NvInferVersion.h"
    numbers = zip(("MAJOR", "MINOR", "PATCH", "BUILD"), (8, 2, 1, 9))
    lines = [f"#define NV_TENSORRT_{name} {number} //!< TensorRT {name.lower()} version." for name, number in numbers]
    header.write_text("\n".join([*lines, "#define NV_TENSORRT_SONAME_MAJOR 8"]) + "\n", encoding="utf-8")
    ask = ("bash", "-euo", "pipefail", "-c", f". jetson/steps.sh; tensorrt_version {header}")
    assert run(*ask).stdout == "8.2.1.9\n"
    header.write_text("\n".join(lines[:2]), encoding="utf-8")
    done = run(*ask)
    assert done.returncode == 1 and "tells no version of TensorRT (8.2)" in done.stdout
    assert "8.2.1.8/" not in INSTALLS["jp46"].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", UNITS)
def test_the_service_sees_the_socket_of_csi_cameras(name):
    unit = (JETSON / name).read_text(encoding="utf-8")
    assert not re.search(r"^PrivateTmp=(yes|true|1|on)$", unit, re.MULTILINE)


@pytest.mark.parametrize(("file", "python"), PYTHONS.items())
def test_pins_are_exact_and_those_that_the_tests_ran_with(file, python):
    pinned = {canonicalize_name(pin.name): str(pin.specifier) for pin in pins(JETSON / file)}
    assert all(re.match(r"==[\w.]+$", version) for version in pinned.values())
    assert {"numpy", "av", "onnxruntime", "click", "pydantic", "rich", "pyyaml", "pycuda", "pip"} <= set(pinned)
    environment = {"python_version": python}
    for pin in pins(TOP / "constraints.txt"):
        name = canonicalize_name(pin.name)
        if name in pinned and (pin.marker is None or pin.marker.evaluate(environment)):
            assert pinned[name] == str(pin.specifier), f"{name} in {file}"


@pytest.mark.skipif(sys.platform != "linux", reason="wants bash and Linux")
@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ("6 36 22.04", {"machine": "x86_64"}, "this is for JetPack 6 on a Jetson, and this machine is x86_64"),
        ("5.1 35 20.04", {}, "this is for JetPack 5.1 (L4T 35), and this Jetson has L4T 36"),
        ("7 '38 39' 24.04", {}, "this is for JetPack 7 (L4T 38 or 39), and this Jetson has L4T 36"),
        ("6 36 22.04 --fast", {}, "unknown option --fast"),
        ("6 36 22.04", {"user": 1000}, "use sudo"),
    ],
)
def test_elsewhere_it_says_so_in_one_line(tmp_path, arguments, options, said):
    release = tmp_path / "nv_tegra_release"
    release.write_text("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n", encoding="utf-8")
    done = expect(arguments, release, **options)
    assert done.returncode == 1 and said in done.stdout and len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="wants bash and Linux")
def test_on_its_jetpack_it_goes_on_and_without_the_release_it_stops(tmp_path):
    release = tmp_path / "nv_tegra_release"
    missing = expect("6 36 22.04", release)
    assert missing.returncode == 1 and f"{release} is missing" in missing.stdout
    release.write_text("# R39 (release), REVISION: 2.0, GCID: 1, BOARD: generic\n", encoding="utf-8")
    assert expect("7 '38 39' 24.04", release).stdout == "passed\n"


@pytest.mark.parametrize(("name", "verb"), UNITS.items())
def test_the_service_runs_without_rights(name, verb):
    settings = unit_settings(name)
    assert settings["User"] == "edgecvar" and settings["NoNewPrivileges"] == "yes"
    assert settings["CapabilityBoundingSet"] == "" and settings["Restart"] == "always"
    assert settings["ExecStart"].startswith(f"/opt/edgecvar/bin/edgecvar {verb} ")


def test_the_service_for_months_is_watched_and_reloaded():
    """systemd waits for READY=1, is told that all is well, and ends it as `edgecvar serve` expects."""
    settings = unit_settings("edgecvar@.service")
    assert settings["Type"] == "notify" and int(settings["WatchdogSec"]) >= 30
    assert settings["ExecReload"] == "/bin/kill -HUP $MAINPID" and settings["StateDirectory"] == "edgecvar/%i"
    assert settings["ExecStart"].endswith(" serve /etc/edgecvar/%i.yaml")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="wants systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit_as_it_is(name, tmp_path):
    command = tmp_path / "edgecvar"  # what it starts is not installed here
    command.write_text("#!/bin/sh\n", encoding="utf-8")
    command.chmod(0o755)
    unit = (JETSON / name).read_text(encoding="utf-8").replace("/opt/edgecvar/bin/edgecvar", str(command))
    file = tmp_path / name.replace("@.", "@front.")
    file.write_text(unit, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60)
    about = [line for line in done.stderr.splitlines() if file.name in line and "man " not in line]
    assert about == [], done.stderr


def unit_settings(name):
    """The unit's keys and values."""
    lines = (JETSON / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "the same 2 decisions (2 labels)"),
        ({"probability": 0.70005}, "the same 2 decisions"),
        ({"probability": 0.8}, "probabilities differ by 0.1"),
        ({"label": "up"}, "picture 7: right and up"),
        ({"display_index": 8}, "different pictures"),
    ],
)
def test_decisions_are_compared(tmp_path, change, said):
    one = [
        {"display_index": 3, "label": "left", "probability": 0.9},
        {"display_index": 7, "label": "right", "probability": 0.7},
        {"summary": {"decisions": 2}},
    ]
    other = [one[0], {**one[1], **change}, one[2]]
    for name, items in (("one", one), ("other", other)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    done = run(sys.executable, JETSON / "same_decisions.py", tmp_path / "one", tmp_path / "other")
    assert said in done.stdout and (done.returncode == 0) == said.startswith("the same")
