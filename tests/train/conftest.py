"""One thread: the machine is shared, and tests that compare bits must not depend on how many cores it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the train extra")
torch.set_num_threads(1)


@pytest.fixture
def write(small: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """An ablation's file beside its recipe of one epoch."""
    from tests.train.tables import ROWS

    def make(**document: Any) -> Path:
        (tmp_path / "recipe.yaml").write_text(small("epochs=1", "threads=1", "allow_repeats=true").to_yaml())
        file = tmp_path / "table.yaml"
        file.write_text(yaml.safe_dump({"recipe": "recipe.yaml", "rows": ROWS, **document}))
        return file

    return make
