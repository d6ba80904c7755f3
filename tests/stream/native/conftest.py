"""A small stream of each way to refer, for tests of how pictures are parsed."""

from __future__ import annotations

from typing import List

import pytest

from tests.stream.native.small_streams import KINDS, packets_of


@pytest.fixture(scope="module", params=KINDS)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> List[bytes]:
    """The packets of a small clip in Annex B, parameter sets at each of its three GOPs."""
    return packets_of(request.param, tmp_path_factory.mktemp("clip"))
