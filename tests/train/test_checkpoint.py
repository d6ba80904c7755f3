from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import Checkpoint, load_checkpoint, newest_run, save_checkpoint

pytestmark = pytest.mark.train

OPTIONS = {"backbone": {"width": 0.1, "depth": 0.3}, "dim": 16, "fusion": "mv"}
SPEC = InputSpec(height=32, width=32)


@pytest.fixture
def checkpoint() -> Checkpoint:
    network = build_network("attp", OPTIONS, SPEC, 3)
    return Checkpoint("attp", OPTIONS, SPEC, ["a", "b", "c"], network.state_dict(), "model: attp", "clips")


def test_a_checkpoint_reads_back_whole(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    read = load_checkpoint(tmp_path / "best.pt")
    assert (read.model, read.network, read.input, read.labels) == ("attp", OPTIONS, SPEC, ["a", "b", "c"])
    assert (read.recipe, read.data, read.training) == ("model: attp", "clips", None)
    assert read.state.keys() == checkpoint.state.keys()
    assert all(torch.equal(read.state[name], tensor) for name, tensor in checkpoint.state.items())
    network = read.build()
    assert not network.training
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in checkpoint.state.items())


def test_the_same_checkpoint_is_the_same_file(tmp_path: Path, checkpoint: Checkpoint) -> None:
    for name in ("one.pt", "other.pt"):
        save_checkpoint(tmp_path / name, checkpoint)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "last.pt", checkpoint)
    before = (tmp_path / "last.pt").read_bytes()

    def half(document: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="no space left"):
        save_checkpoint(tmp_path / "last.pt", checkpoint)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert os.listdir(tmp_path) == ["last.pt"]


class Evil:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("evil",)


def test_nothing_but_tensors_and_plain_values_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"schema": 1, "model": Evil()}, tmp_path / "torch.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("torch.pt", "pickle.pt", "text.pt", "empty.pt"):
        with pytest.raises(ConfigError, match=name):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema 1 (got 2)"),
        ({"schema": None}, "schema 1 (got None)"),
        ({"input": {"hieght": 3}}, "a part missing or wrong"),
        ({"state": None}, "a part missing or wrong"),
    ],
)
def test_another_document_is_refused(tmp_path: Path, checkpoint: Checkpoint, change: dict, said: str) -> None:
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    torch.save({**torch.load(tmp_path / "best.pt", weights_only=True), **change}, tmp_path / "best.pt")
    with pytest.raises(ConfigError) as caught:
        load_checkpoint(tmp_path / "best.pt")
    assert said in str(caught.value)


def test_weights_of_another_shape_are_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    wrong = Checkpoint("attp", OPTIONS, SPEC, ["a", "b"], checkpoint.state, "")
    with pytest.raises(ConfigError, match="weights do not fit attp"):
        wrong.build()


def test_the_newest_run_is_the_newest_with_a_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no trained run of 'attp'.*edgecvar train"):
        newest_run("attp", tmp_path)
    for name, file in (("20260101-120000", "best.pt"), ("20260102-090000", "best.pt"), ("20260103-000000", "last.pt")):
        (tmp_path / "attp" / name).mkdir(parents=True)
        (tmp_path / "attp" / name / file).write_bytes(b"")
    assert newest_run("attp", tmp_path) == tmp_path / "attp" / "20260102-090000"
