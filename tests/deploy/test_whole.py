"""A deploy of edgecvar as it is, with the demo's bundle: from nothing to a page that answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecvar.bundle.default import default_bundle
from edgecvar.cli.main import main
from tests.deploy.programs import whole_wheel
from tests.deploy.sshd import start_sshd


def test_a_device_that_has_nothing(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("aiohttp")
    sshd = start_sshd(tmp_path)
    try:
        wheel, config = whole_wheel(tmp_path, "0.0.3"), tmp_path / "edge.yaml"
        config.write_text(f"sources: {{pattern: 'test://'}}\npage: {{port: {sshd.page}}}\n", encoding="utf-8")
        words = [*sshd.flags, "--wheel", wheel, "--offline", "--config", config, sshd.host, default_bundle()]
        command = ["deploy", *map(str, words)]
        main([*command, "--dry-run"])
        said = capsys.readouterr().out
        assert (
            said.startswith("device: ") and "would install edgecvar 0.0.3 from edgecvar-0.0.3-py3-none-any.whl" in said
        )
        assert not sshd.root.exists()
        main(command)
        out = capsys.readouterr().out.splitlines()
        cpu = "onnxruntime-cpu"
        assert f"verified: {cpu}-fp16, {cpu}-int8, against {cpu}-fp32" in out
        assert "release 1 runs: motion.edgecvar, edgecvar 0.0.3" in out
        tunnel = f"ssh {' '.join(sshd.flags)} -L {sshd.page}:127.0.0.1:{sshd.page} {sshd.host}"
        assert out[-1] == f"page: http://127.0.0.1:{sshd.page}/ of the device; here after: {tunnel}"
        assert json.loads(sshd.answers()) == {"well": True, "wrong": []} and sshd.service
    finally:
        sshd.stop()
