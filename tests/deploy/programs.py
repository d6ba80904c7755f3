"""Programs that take the place of a device's own: systemd's, and an edgecvar that does nothing but what deploy asks."""

from __future__ import annotations

import base64
import hashlib
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Dict

ROOT = Path(__file__).resolve().parents[2]

SYSTEMCTL = r"""
import os, shlex, signal, socket, subprocess, sys, time
home, words = os.environ["HOME"], sys.argv[2:]
file = os.path.join(home, "pid")

def pid():
    try:
        number = int(open(file).read())
        state = open("/proc/%d/stat" % number).read().rpartition(")")[2].split()[0]
        return 0 if state == "Z" else number
    except (OSError, ValueError):
        return 0

def stop():
    number = pid()
    if number:
        os.kill(number, signal.SIGTERM)
        for _ in range(200):
            if not pid():
                break
            time.sleep(0.02)
        else:
            os.kill(number, signal.SIGKILL)

def start():
    lines = open(os.path.join(home, ".config/systemd/user/edgecvar.service")).read().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.path.join(home, "notify")
    if os.path.exists(address):
        os.unlink(address)
    told.bind(address)
    told.settimeout(0.05)
    log = open(os.path.join(home, "log"), "a")
    child = subprocess.Popen(
        shlex.split(unit["ExecStart"]), cwd=unit["WorkingDirectory"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, env=dict(os.environ, NOTIFY_SOCKET=address))
    open(file, "w").write(str(child.pid))
    while child.poll() is None:
        try:
            if b"READY=1" in told.recv(4096):
                return 0
        except socket.timeout:
            pass
    print("Job for edgecvar.service failed")
    return 1

if words[0] == "restart":
    stop()
    sys.exit(start())
elif words[0] in ("disable", "stop"):
    stop()
elif words[0] == "show":
    print("ActiveState=" + ("active" if pid() else "failed"))
    print("MainPID=%d" % pid())
"""

JOURNALCTL = r"""
import os, sys
print("".join(open(os.path.join(os.environ["HOME"], "log")).readlines()[-3:]), end="")
"""

EDGECVAR = r'''
"""verify: "wrong" in the bundle's notes is; serve: a page that answers, unless told otherwise by the notes."""
import http.server, json, os, pathlib, signal, socket, sys, time

def hold(where):
    home = pathlib.Path(os.environ["HOME"])
    if (home / ("hold-" + where)).exists():
        (home / ("holding-" + where)).write_text(str(os.getpid()))
        while (home / ("hold-" + where)).exists():
            time.sleep(0.02)

def notes(bundle):
    return (pathlib.Path(bundle) / "notes.txt").read_text()

def value(text, key):
    return next(line.split(":", 1)[1].strip(" '") for line in text.splitlines() if line.strip().startswith(key + ":"))

def main():
    verb, rest = sys.argv[1], sys.argv[2:]
    if verb == "verify":
        hold("verify")
        failures = ["cosine 0.1"] if "wrong" in notes(rest[0]) else []
        figures = [{"runner": "onnx", "precision": "fp32", "failures": failures}]
        print(json.dumps({"passed": not failures, "reference": "onnx fp32", "figures": figures}))
        return int(bool(failures))
    text = open(rest[-1]).read()
    if "nonsense" in text:
        print("error: unknown key 'nonsense'", file=sys.stderr)
        return 1
    if rest[0] == "--check":
        return 0
    told = notes(value(text, "bundle"))
    if "falls" in told:
        print("cannot start", file=sys.stderr)
        return 1
    if "deaf" not in told:
        serve(int(value(text, "port")))
    hold("serve")
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    signal.pause()

def serve(port):
    import threading
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"well": true, "wrong": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *words):
            pass
    http.server.HTTPServer.allow_reuse_address = True
    server = http.server.HTTPServer(("127.0.0.1", port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
'''

PYTHON = """#!/bin/sh
# An environment's pip is that of the tests: to unpack another takes longer than all else.
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
{python} -m venv --without-pip "$3" && for packages in "$3"/lib/python3*/site-packages; do
  echo {pip} > "$packages/pip.pth"
done
"""


def quick_python(folder: Path) -> None:
    """A python3 that makes environments at once."""
    found = find_spec("pip")
    assert found is not None and found.submodule_search_locations
    (folder / "pip").mkdir()
    (folder / "pip" / "pip").symlink_to(found.submodule_search_locations[0])
    (folder / "python3").write_text(PYTHON.format(python=sys.executable, pip=folder / "pip"), encoding="utf-8")
    (folder / "python3").chmod(0o755)


def program(file: Path, source: str) -> Path:
    file.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    file.chmod(0o755)
    return file


def light_wheel(folder: Path, version: str = "0.0.1") -> Path:
    """An edgecvar of that version, which is EDGECVAR."""
    return _wheel(folder, version, {"edgecvar_light.py": EDGECVAR}, "edgecvar_light:main")


def whole_wheel(folder: Path, version: str) -> Path:
    """edgecvar as it is in this checkout, with the libraries of the interpreter that runs the tests."""
    places = [str(ROOT), *dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))]
    return _wheel(folder, version, {"checkout.pth": "\n".join(places) + "\n"}, "edgecvar.__main__:main")


def _wheel(folder: Path, version: str, files: Dict[str, str], main: str) -> Path:
    info = f"edgecvar-{version}.dist-info"
    extras = "".join(f"Provides-Extra: {each}\n" for each in ("live", "device", "sign"))
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: edgecvar\nVersion: {version}\n{extras}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nedgecvar = {main}\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in whole.items())
    wheel = folder / f"edgecvar-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**whole, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
