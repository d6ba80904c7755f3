"""Files and folders are whole or not there, whoever is killed in between."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgecvar.errors import ConfigError
from edgecvar.files import check_writable, draft_folder, only_user, publish, whole_file, whole_folder
from tests.full_disk import no_room

KILLED = """
import os, signal, sys
from pathlib import Path
from edgecvar.files import {kind}
target = Path(sys.argv[1])
with {kind}(target) as draft:
    {body}
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def killed(kind: str, body: str, target: Path) -> None:
    program = KILLED.format(kind=kind, body=body)
    done = subprocess.run([sys.executable, "-c", program, str(target)], timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_a_file_appears_when_it_is_whole_with_the_usual_rights(tmp_path):
    target = tmp_path / "best.pt"
    with whole_file(target) as draft:
        draft.write_text("whole")
        assert not target.exists() and draft.suffix == ".pt" and draft.name.startswith(".")
    plain = tmp_path / "plain"
    plain.touch()
    assert target.read_text() == "whole" and list(tmp_path.iterdir()) in ([target, plain], [plain, target])
    assert target.stat().st_mode == plain.stat().st_mode


def test_a_device_or_a_pipe_takes_what_is_written_and_stays(tmp_path):
    """`--save /dev/null` by root would leave a file in its place."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(tmp_path / "pipe") as draft:
        draft.write_text("whole")
    assert os.read(reader, 99) == b"whole" and [entry.name for entry in tmp_path.iterdir()] == ["pipe"]
    os.close(reader)


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "a.json").symlink_to(tmp_path / "there" / "b.json")
    for content in ("new", "newer"):
        with whole_file(tmp_path / "a.json") as draft:
            draft.write_text(content)
        assert (tmp_path / "a.json").is_symlink() and (tmp_path / "there" / "b.json").read_text() == content
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("leads", ["there", "nowhere"])
def test_a_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path, leads):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "old").touch()
    link = tmp_path / "a.edgecvar"
    link.symlink_to(tmp_path / leads)
    with pytest.raises(KeyError), whole_folder(link) as draft:
        raise KeyError
    assert link.is_symlink() and sorted(os.listdir(tmp_path)) == ["a.edgecvar", "there"]
    with whole_folder(link) as draft:
        (draft / "new").touch()
    assert not link.is_symlink() and sorted(os.listdir(tmp_path)) == ["a.edgecvar", "there"]
    assert os.listdir(link) == ["new"] and os.listdir(tmp_path / "there") == ["old"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(target) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"] and target.read_text() == "old"


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr("edgecvar.files.os.fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr("edgecvar.files.os.replace", lambda one, other: (order.append("name"), replace(one, other)))
    with whole_file(tmp_path / "a") as draft:
        draft.write_bytes(b"1")
    assert order == ["fsync", "name"]


def test_what_a_kill_left_goes_with_the_next_writing(tmp_path):
    target = tmp_path / "curves.png"
    killed("whole_file", f"draft.write_text('half'); {KILL}", target)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".curves.png.") and not target.exists()
    with whole_file(tmp_path / "other.png") as draft:
        draft.write_text("whole")
    assert left.exists()  # another file's
    with whole_file(target) as draft:
        draft.write_text("whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves.png", "other.png"]


def test_a_draft_under_way_is_nobodys_leftover(tmp_path):
    target = tmp_path / "last.pt"
    with whole_file(target) as one:
        one.write_text("one")
        with whole_file(target) as other:
            other.write_text("other")
        assert target.read_text() == "other" and one.exists()
    assert target.read_text() == "one"


def test_a_folder_killed_on_its_way_leaves_the_old_one_and_goes_with_the_next(tmp_path):
    target = tmp_path / "x.edgecvar"
    with whole_folder(target) as draft:
        (draft / "a").write_text("old")
    killed("whole_folder", f"(draft / 'a').write_text('half'); {KILL}", target)
    assert (target / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 2
    with whole_folder(target) as draft:
        (draft / "a").write_text("new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.edgecvar"] and (target / "a").read_text() == "new"


def test_a_folder_moved_away_by_a_killed_process_comes_back(tmp_path):
    target = tmp_path / "x.edgecvar"
    with whole_folder(target) as draft:
        (draft / "a").write_text("old")
    between_renames = f"Path.rename = lambda self, other, rename=Path.rename: (rename(self, other), {KILL})"
    killed("whole_folder", between_renames, target)
    assert not target.exists()
    with pytest.raises(RuntimeError), whole_folder(target):
        raise RuntimeError
    assert (target / "a").read_text() == "old"


@pytest.mark.parametrize("kind", [whole_file, whole_folder])
def test_without_room_the_error_names_the_target_and_nothing_is_left(tmp_path, kind):
    target = tmp_path / "x.edgecvar"
    with pytest.raises(OSError) as caught, no_room(1000), kind(target) as draft:
        (draft if kind is whole_file else draft / "a").write_bytes(bytes(2000))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(target))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_no_folder_is_an_error_of_its_own_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "none" / "a.pt"):
        pass
    assert caught.value.filename == str(tmp_path / "none" / "a.pt")


def test_a_new_folder_appears_whole_under_the_first_free_name(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "taken").touch()
    (tmp_path / "two").touch()
    with draft_folder(tmp_path) as draft:
        (draft / "a").write_text("whole")
        assert draft.name.startswith(".")
        named = publish(draft, (tmp_path / name for name in ("one", "two", "three")))
    assert named == tmp_path / "three" and (named / "a").read_text() == "whole"
    with pytest.raises(FileExistsError), draft_folder(tmp_path) as draft:
        publish(draft, [tmp_path / "one", tmp_path / "two"])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "three", "two"]


def test_a_new_folder_killed_on_its_way_goes_with_the_next(tmp_path):
    killed("draft_folder", f"(draft / 'a').write_text('half'); {KILL}", tmp_path)
    assert [entry.name.startswith(".new.") for entry in tmp_path.iterdir()] == [True]
    with draft_folder(tmp_path) as draft:
        publish(draft, [tmp_path / "one"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["one"]


def test_a_folder_has_one_user_at_a_time(tmp_path):
    with only_user(tmp_path):
        with pytest.raises(BlockingIOError), only_user(tmp_path):
            pass
        with pytest.raises(BlockingIOError), only_user(tmp_path):
            pass
    killed("only_user", KILL, tmp_path)
    with only_user(tmp_path):
        pass


@pytest.mark.parametrize("place", ["file/below", "file", "/proc/below"])
def test_a_folder_that_nothing_can_be_written_to_is_known_before(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="nothing can be written there"):
        check_writable(tmp_path / place)
    check_writable(tmp_path / "not" / "there")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_system_that_locks_no_folders_is_written_to_all_the_same(tmp_path, monkeypatch):
    """As NFS answers; what is under way is nobody's leftover there, either."""
    flock = fcntl.flock

    def of_files_alone(descriptor, how):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, how)

    monkeypatch.setattr("edgecvar.files.fcntl.flock", of_files_alone)
    for content in ("old", "new"):
        with whole_folder(tmp_path / "x.edgecvar") as draft, whole_folder(tmp_path / "x.edgecvar"):
            (draft / "a").write_text(content)
        assert (tmp_path / "x.edgecvar" / "a").read_text() == content
    with draft_folder(tmp_path) as draft, only_user(tmp_path):
        assert publish(draft, [tmp_path / "run"]) == tmp_path / "run"
    assert sorted(os.listdir(tmp_path)) == ["run", "x.edgecvar"]
