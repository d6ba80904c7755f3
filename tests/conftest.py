"""Where the tests find real media, and that they say in one line when there is none."""

from __future__ import annotations

import importlib.util
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

# Before torch is there: several workers share the cores, and threads that wait for each other would take them all.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that runs tests in the background lets them ignore the Ctrl-C that some of them send to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The device half has no torch: what trains and compiles is tested where the train extra is installed.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["nets/*", "train/*", "compile/*"]

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media() -> Path:
    if not MEDIA.is_dir():
        pytest.skip("real media are not beside this checkout")
    return MEDIA


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is kept in the state of whoever runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def never_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verb says does not depend on how slow the machine is."""
    monkeypatch.setattr("edgecvar.progress.INTERVAL", 3600.0)


@pytest.fixture(autouse=True)
def no_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sees does not depend on the decoders of the machine."""
    monkeypatch.setattr("edgecvar.stream.images.choice._any_here", lambda patterns: False)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty synthetic clips in class folders; not to be written to."""
    from tests.small_networks import write_synthetic

    return write_synthetic(tmp_path_factory.mktemp("synthetic") / "clips")


@pytest.fixture(scope="session")
def by_heart(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """A network's small form that has learnt the synthetic clips; each is trained once."""
    from tests.small_networks import learn_by_heart

    runs: Dict[str, Any] = {}

    def run(name: str) -> Any:
        if name not in runs:
            runs[name] = learn_by_heart(name, synthetic, tmp_path_factory.mktemp("by_heart") / f"{name}.pt")
        return runs[name]

    return run


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders left, right and still of small clips that move so; not to be written to."""
    from tests.small_recipe import write_clips

    return write_clips(tmp_path_factory.mktemp("moving"))


@pytest.fixture
def small(moving: Path) -> Callable[..., Any]:
    """The small recipe on the moving clips, with any overrides."""
    from tests.small_recipe import small_recipe

    return partial(small_recipe, moving)


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    skip = pytest.mark.skip(reason="real media are not beside this checkout")
    for item in items:
        if "real_media" in item.keywords and not MEDIA.is_dir():
            item.add_marker(skip)
        if item.get_closest_marker("xdist_group") is None:  # a file's tests share its fixtures
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
