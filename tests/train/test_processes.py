"""Several processes that train one run: what one process would have made of the same batches, killed or not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest
import torch

from edgecvar.errors import ConfigError
from edgecvar.train.history import read_records
from edgecvar.train.loop import start_run
from edgecvar.train.parts import Machine
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.together.processes import Launch, is_first, planned_launch
from tests.small_recipe import small_recipe
from tests.train.compared_runs import assert_same_runs, differing, untimed

pytestmark = pytest.mark.train

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "tests.train.joined_run"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
TORCHRUN += ["--local-addr=127.0.0.1", "-m", "tests.train.joined_run"]
QUIET = ["network.dropout=0", "network.backbone.dropout=0", "network.backbone.stochastic_depth=0"]
LIMIT = 240
"""Seconds after which a run that hangs is given up."""


def started(command: List[str], *arguments: object) -> subprocess.Popen[str]:
    """Heard on the loopback interface alone, in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), "OMP_NUM_THREADS": "1"}
    environment.update(GLOO_SOCKET_IFNAME="lo", MASTER_ADDR="127.0.0.1")
    words = [*command, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def ended(process: subprocess.Popen[str]) -> Tuple[int, str]:
    """Its exit code and what it said; none of its processes is left."""
    try:
        _, said = process.communicate(timeout=LIMIT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def run_folder(root: Path) -> Path:
    (folder,) = (root / "attp").iterdir()
    return folder


def in_its_second_epoch(root: Path, process: subprocess.Popen[str]) -> Path:
    """The run's folder, as soon as its first epoch is kept."""
    began = time.monotonic()
    while time.monotonic() - began < LIMIT and process.poll() is None:
        kept = list(root.glob("attp/2*/last.pt"))
        if kept and len(read_records(kept[0].parent)) == 1:
            return kept[0].parent
        time.sleep(0.01)
    raise AssertionError(f"no first epoch: {ended(process)}")


def children(pid: int) -> List[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def recipe(moving: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and no dropout: each process draws its own. An average, class weights and a clipped gradient."""
    more = ["network.fusion=i", "optimizer=sgd", "average=0.9", "balance=weights", "clip_gradient=5", "epochs=3"]
    file = tmp_path_factory.mktemp("joined") / "recipe.yaml"
    file.write_text(small_recipe(moving, *QUIET, *more, "augment.scale=[0.8, 1]", "label_smoothing=0.1").to_yaml())
    return file


@pytest.fixture(scope="module")
def straight(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[int, Path]:
    """The run of one process, and that of two that torchrun started."""
    folders = {}
    for count, command in ((1, PROGRAM), (2, TORCHRUN)):
        root = tmp_path_factory.mktemp("straight")
        code, said = ended(started(command, "start", recipe, root, f"devices={count}"))
        assert code == 0, said
        folders[count] = run_folder(root)
    return folders


def test_two_processes_give_the_curve_of_one(straight: Dict[int, Path]) -> None:
    """Batches of three clips, shared as one and two; in double precision but for the order of sums."""
    one, two = (read_records(straight[count]) for count in (1, 2))
    assert [record.clips for record in two] == [9, 9, 9]
    for alone, joint in zip(one, two):
        assert joint.train_loss == pytest.approx(alone.train_loss, rel=1e-9)
        assert joint.validation_loss == pytest.approx(alone.validation_loss, rel=1e-9)
        assert (joint.train_top1, joint.validation_top1) == (alone.train_top1, alone.validation_top1)
    states = [torch.load(straight[count] / "last.pt", weights_only=True)["state"] for count in (1, 2)]
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], rtol=1e-7, atol=1e-9), name
    assert len(differing(*states)) > 10  # they were added up in another order, so two did compute


def test_two_nodes_of_one_process_give_the_same_run(straight: Dict[int, Path], recipe: Path, tmp_path: Path) -> None:
    """By the documented line, once a node: the first writes and speaks, and the other does neither."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    line += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    roots = [tmp_path / f"node{rank}" for rank in (0, 1)]
    for root in roots:
        root.mkdir()
    nodes = [
        started([*line, f"--node-rank={rank}", "-m", "tests.train.joined_run"], "start", recipe, root)
        for rank, root in enumerate(roots)
    ]
    for node in nodes:
        code, said = ended(node)
        assert code == 0, said
    folders = (straight[2], run_folder(roots[0]))
    assert untimed(folders[0]) == untimed(folders[1])
    states = [torch.load(folder / "last.pt", weights_only=True)["state"] for folder in folders]
    assert differing(*states) == [] and len(states[0]) > 100
    assert list(roots[1].iterdir()) == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_killed_run_goes_on_bit_for_bit(straight: Dict[int, Path], recipe: Path, tmp_path: Path, count: int) -> None:
    """Of two processes, which the first has started, the other is killed; the first ends too."""
    process = started(PROGRAM, "start", recipe, tmp_path, f"devices={count}")
    folder = in_its_second_epoch(tmp_path, process)
    (victim,) = children(process.pid) if count == 2 else (process.pid,)
    os.kill(victim, signal.SIGKILL)
    code, said = ended(process)
    # Fabric's watcher, which looks at the processes every 5 s, kills the first where it is faster.
    assert code == -signal.SIGKILL or (code == 1 and "another process of this run is gone" in said)
    assert len(read_records(folder)) < 3
    code, said = ended(started(PROGRAM, "resume", folder, tmp_path))
    assert code == 0, said
    assert_same_runs(straight[count], folder)


def test_ctrl_c_stops_all_of_them_in_one_step(recipe: Path, tmp_path: Path) -> None:
    """Though the first alone hears it; it alone speaks, and nothing is left."""
    command = [sys.executable, "-m", "edgecvar", "train", str(recipe)]
    process = started(command, "devices=2", "epochs=400", "-o", tmp_path)
    folder = in_its_second_epoch(tmp_path, process)
    (other,) = children(process.pid)
    os.kill(process.pid, signal.SIGINT)
    code, said = ended(process)
    assert code == 130, said
    assert said.count("interrupted after epoch ") == said.count("3 classes, 9 clips train") == 1
    assert said.count(f"go on with: edgecvar train --resume {folder}") == 1 and "Traceback" not in said
    assert not Path(f"/proc/{other}").exists() or children(other) == []


def test_an_error_of_one_of_them_is_said_once_and_ends_all(recipe: Path, moving: Path, tmp_path: Path) -> None:
    """A clip that is gone: whichever process has it in its share, the first says so. It alone said what is drawn."""
    data = shutil.copytree(moving, tmp_path / "data")
    command = [sys.executable, "-m", "edgecvar", "train", str(recipe)]
    overrides = ("devices=2", "epochs=400", f"data={data}", "cache_gib=0", "--validation-fraction", "0.25")
    process = started(command, *overrides, "-o", tmp_path / "runs")
    in_its_second_epoch(tmp_path / "runs", process)
    (data / "left" / "clip_2.mp4").unlink()
    code, said = ended(process)
    assert code == 1, said
    assert said.count("change it with --split-by") == 1
    assert said.count("clip_2.mp4") == 1 and "it could be read when the run began" in said
    assert "is gone (" not in said and "Traceback" not in said


def test_less_than_full_precision_trains_and_is_judged_in_full(small: Callable[..., Recipe], tmp_path: Path) -> None:
    folders = []
    for precision in ("32", "bf16"):
        recipe = small(*QUIET, "network.fusion=i", f"precision={precision}", "epochs=1")
        training = start_run(recipe, tmp_path / precision, Listener())
        training.fit()
        folders.append(training.folder)
    (full,), (half,) = map(read_records, folders)
    assert half.train_loss != full.train_loss
    assert half.train_loss == pytest.approx(full.train_loss, rel=0.05)
    states = [torch.load(folder / "last.pt", weights_only=True)["state"] for folder in folders]
    assert all(value.dtype == states[0][name].dtype for name, value in states[1].items())
    with pytest.raises(ConfigError, match="precision=16 is for CUDA devices"):
        start_run(small("precision=16"), tmp_path, Listener())


@pytest.mark.parametrize(
    ("environment", "keys", "expected"),
    [
        ({}, {}, Launch(1, 1, "here")),
        ({}, {"devices": 2}, Launch(2, 1, "here")),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"}, {}, Launch(2, 3, "torchrun")),
        ({"SLURM_STEP_ID": "0", "SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, {"devices": 4}, Launch(4, 2, "slurm")),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, {}, Launch(1, 1, "here")),  # a batch script, without srun
    ],
)
def test_who_starts_the_processes_says_how_many(
    environment: Dict[str, str], keys: Dict[str, int], expected: Launch
) -> None:
    assert planned_launch(Machine.model_validate(keys), environment) == expected


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_is_known_before_they_are_gathered(rank: int) -> None:
    for started in (
        {"TORCHELASTIC_RUN_ID": "x", "RANK": f"{rank}", "LOCAL_RANK": "0"},
        {"SLURM_STEP_ID": "0", "SLURM_PROCID": f"{rank}"},
        {"LOCAL_RANK": f"{rank}"},
    ):
        assert is_first(started) == (rank == 0)
    assert is_first({})


def test_a_recipe_that_asks_for_other_processes_is_refused() -> None:
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4"}
    with pytest.raises(ConfigError, match="devices=3, but torchrun started 2; leave devices out"):
        planned_launch(Machine(devices=3), torchrun)
    with pytest.raises(ConfigError, match="nodes=1, but torchrun started 2"):
        planned_launch(Machine(nodes=1), torchrun)
    with pytest.raises(ConfigError, match="nodes=2: start the same command on each node"):
        planned_launch(Machine(nodes=2), {})
