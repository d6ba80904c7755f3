"""Imports that fail: one line, and what to preload where a library found no room for its threads' storage."""

from __future__ import annotations

import builtins
import sys
from types import ModuleType

import pytest

from edgecvar.cli import main as command_line
from edgecvar.errors import ConfigError, DeviceError, EdgecvarError, import_reason
from edgecvar.runners.onnx import onnx_runtime
from edgecvar.runners.tensorrt.api import installed_version
from edgecvar.runners.tensorrt.cuda import CudaDevice
from edgecvar.train.data import flow

LIBRARY = "/opt/edgecvar/lib/python3.8/site-packages/onnxruntime.libs/libgomp-d22c30c5.so.1.0.0"
SAID = f"{LIBRARY}: cannot allocate memory in static TLS block"
PRELOAD = f"LD_PRELOAD={LIBRARY} before the command"


def open_cuda():
    with CudaDevice():
        pass


def test_other_reasons_are_told_as_they_are():
    assert import_reason(ImportError("libnvinfer.so.8: cannot open\nshared object file")) == (
        "libnvinfer.so.8: cannot open shared object file"
    )


@pytest.mark.parametrize("kind", [ImportError, OSError])
@pytest.mark.parametrize(
    ("package", "load", "expected"),
    [
        ("onnxruntime", onnx_runtime, DeviceError),
        ("tensorrt", installed_version, DeviceError),
        ("pycuda", open_cuda, DeviceError),
        ("cv2", lambda: flow.pair_of_pictures(flow.FlowSettings()), ConfigError),
    ],
)
def test_no_room_for_a_library_says_what_to_preload(monkeypatch, package, load, expected, kind):
    real = builtins.__import__

    def fail(name, *arguments, **named):
        if name.split(".")[0] == package:
            raise kind(SAID)
        return real(name, *arguments, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(EdgecvarError) as raised:
        load()
    assert isinstance(raised.value, expected) and PRELOAD in str(raised.value)
    assert "not installed" not in str(raised.value)


@pytest.mark.parametrize("error", [ImportError(SAID), OSError(SAID)])
def test_torch_that_a_verb_cannot_load_is_one_line(monkeypatch, capsys, error):
    class Verb(ModuleType):
        def __getattr__(self, name):
            raise error

    monkeypatch.setitem(sys.modules, "edgecvar.cli.train", Verb("edgecvar.cli.train"))
    with pytest.raises(SystemExit) as stop:
        command_line.main(["train", "x"])
    said = capsys.readouterr()
    assert stop.value.code == 1 and said.err.startswith("error: ") and said.err.count("\n") == 1
    assert PRELOAD in said.err
