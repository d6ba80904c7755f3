"""Where the tests find real media, and that they say in one line when there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

# The device half has no torch: what trains and compiles is tested where the train extra is installed.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["nets/*", "train/*", "compile/*"]

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media() -> Path:
    if not MEDIA.is_dir():
        pytest.skip("real media are not beside this checkout")
    return MEDIA


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    if MEDIA.is_dir():
        return
    skip = pytest.mark.skip(reason="real media are not beside this checkout")
    for item in items:
        if "real_media" in item.keywords:
            item.add_marker(skip)
