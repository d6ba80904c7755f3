"""A clip, a tiny network and one compiled bundle for the tests of compiling."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
torch.set_num_threads(1)

BACKBONE = {"width": 0.1, "depth": 0.1}

SEARCHED = frozenset({"attp"})
"""What int8 costs this one, learnt by heart, differs from processor to processor: its search keeps layers in fp16."""


def write_clip(path: Path, pictures: int = 30, seed: int = 5, step: Tuple[int, int] = (1, 2)) -> Path:
    """A texture of 96 x 64 that moves by whole pixels, in H.264 with GOPs of 12 and a B-picture."""
    rng = np.random.default_rng(seed)
    texture = rng.integers(20, 236, (8, 12, 3)).repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        options = {"g": "12", "bf": "1", "sc_threshold": "0", "preset": "fast", "threads": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for time in range(pictures):
            moved = np.roll(texture, (step[0] * time, step[1] * time), axis=(0, 1))
            for packet in stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("compile") / "moving.mp4")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another texture that moves otherwise."""
    return write_clip(tmp_path_factory.mktemp("compile") / "other.mp4", pictures=26, seed=6, step=(-2, 1))


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of one I-picture."""
    return write_clip(tmp_path_factory.mktemp("compile") / "still.mp4", pictures=1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, clip: Path, other: Path) -> Path:
    """Four clips, two different ones under two names each, so that either half has both."""
    root = tmp_path_factory.mktemp("clips")
    for place, source in enumerate((clip, clip, other, other)):
        shutil.copy(source, root / f"{place}.mp4")
    return root


@pytest.fixture(scope="session")
def configure(clip: Path) -> Callable[..., Any]:
    """A CompileConfig of a tiny untrained ATTP, with any fields changed."""
    from edgecvar.clips.spec import InputSpec
    from edgecvar.compile.config import CompileConfig

    def make(network: Dict[str, Any] = {}, **changes: Any) -> Any:  # noqa: B006
        fields = {
            "model": "attp",
            "untrained": True,
            "classes": 3,
            "network": {"backbone": BACKBONE, "dim": 8, "factor": 2, **network},
            "input": InputSpec(height=48, width=64, stride=4, crop=1.0),
            "data": clip,
            "precision": {"fp32", "fp16"},
            **changes,
        }
        return CompileConfig(**fields)

    return make


@pytest.fixture(scope="session", autouse=True)
def export_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exporting takes seconds, so a stage with the same weights is exported once in these tests."""
    from edgecvar.compile import bundle
    from edgecvar.compile.onnx.export import export_stage

    cache = tmp_path_factory.mktemp("exported")

    def export(module: Any, spec: Any, path: Path) -> None:
        digest = hashlib.sha256(spec.model_dump_json().encode())
        for name, tensor in module.state_dict().items():
            digest.update(name.encode() + tensor.numpy().tobytes())
        kept = cache / digest.hexdigest()
        if not kept.exists():
            export_stage(module, spec, kept)
        shutil.copyfile(kept, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "export_stage", export)
        yield


@pytest.fixture(scope="session")
def compiled(configure: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny network, compiled; not to be written to."""
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.plan import plan_compilation

    return compile_bundle(plan_compilation(configure(output=tmp_path_factory.mktemp("bundle") / "tiny.edgecvar")))


@pytest.fixture(scope="session")
def learnt(
    by_heart: Callable[[str], Any], synthetic: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """The plan and the bundle of a small network that has learnt, in every precision; each is compiled once."""
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.config import CompileConfig
    from edgecvar.compile.plan import plan_compilation

    made: Dict[str, Any] = {}

    def bundle(name: str) -> Any:
        if name not in made:
            config = CompileConfig(
                checkpoint=by_heart(name).checkpoint,
                data=synthetic,
                output=tmp_path_factory.mktemp("learnt") / f"{name}.edgecvar",
                precision=frozenset({"fp32", "fp16", "int8"}),
                max_drop=0.5 if name in SEARCHED else None,
                search_samples=16 if name in SEARCHED else 6,
            )
            plan = plan_compilation(config)
            made[name] = plan, compile_bundle(plan).bundle
        return made[name]

    return bundle
