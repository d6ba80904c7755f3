"""Which of a device's Pythons is taken."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import pytest

from edgecvar.deploy.device import look as module

Python = Tuple[Tuple[int, int], bool, Optional[str]]
"""Version, whether it has venv, its TensorRT."""
NO_VENV: Python = ((3, 10), False, "10.3.0")


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": ((3, 10), True, None), "python3.8": ((3, 8), True, "8.2")}, "python3.8"),
        ({"python3": NO_VENV, "python3.12": ((3, 12), True, None)}, "python3"),
        ({"python3": NO_VENV, "python3.12": ((3, 12), True, "10.3.0")}, "python3.12"),
        ({"python3": ((3, 10), False, None), "python3.12": ((3, 12), True, None)}, "python3.12"),
        ({"python3": ((3, 10), False, None)}, "python3"),
        ({"python3": ((3, 6), True, "8.2")}, None),
    ],
)
def test_tensorrt_goes_before_venv(monkeypatch: Any, pythons: Dict[str, Python], chosen: Optional[str]) -> None:
    def probe(path: str) -> Dict[str, Any]:
        version, venv, tensorrt = pythons[path]
        return {"version": [*version, 0], "venv": venv, "tensorrt": tensorrt}

    monkeypatch.setattr(module.shutil, "which", lambda name: name if name in pythons else None)
    monkeypatch.setattr(module, "_probe", probe)
    found = module.choose_python(None)
    assert (found and found["path"]) == chosen
