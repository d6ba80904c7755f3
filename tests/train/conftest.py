"""One thread: the machine is shared, and tests that compare bits must not depend on how many cores it has."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
torch.set_num_threads(1)
