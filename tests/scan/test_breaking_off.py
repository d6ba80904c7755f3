"""A source whose reading breaks off midway has failed: what came before is kept, and it is tried again."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from edgecvar.scan import worker
from edgecvar.scan.sources import RemoteFile
from tests.moving_clip import moving_clip
from tests.scan.breaking import Breaking
from tests.scan.here import HerePool
from tests.scan.scanned import listing, rows, scanned
from tests.tiny_bundle import tiny_bundle


@pytest.mark.parametrize(
    "error", [OSError("gone"), RuntimeError("payload is not completed")], ids=["system", "library"]
)
def test_what_came_before_is_kept_and_the_source_is_tried_again(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, output = moving_clip(tmp_path / "clip.ts", 400, restless=True), tmp_path / "seen.parquet"
    bundle, data = tiny_bundle(tmp_path), clip.read_bytes()

    files = [Breaking(data, 1000, error)]

    @contextmanager
    def breaking(name, timeout):
        yield RemoteFile(files[-1], name)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "opened_source", breaking)
        whole = scanned(bundle, [clip], tmp_path / "whole.parquet")
        assert whole is not None and whole.failures == []
        files.append(Breaking(data, files[0].reads * 3 // 4, error))
        summary = scanned(bundle, [clip], output)
    assert summary is not None and summary.decisions > 0
    ((_, failure),) = summary.failures
    assert "it broke off after" in failure and str(error) in failure
    assert listing(output)[0]["failure"] == failure and len(rows(output)) >= summary.decisions
    pool = HerePool()
    again = scanned(bundle, [clip], output, pool)
    assert len(pool.jobs) == 1 and again is not None
    assert again.failures == [] and again.decisions == whole.decisions > summary.decisions
