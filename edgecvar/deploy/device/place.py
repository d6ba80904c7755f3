"""The folder of deploys on a device: releases side by side, and the one link that says which runs."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from edgecvar.deploy.device.lock import Lock
from edgecvar.deploy.device.peer import Failure, Peer
from edgecvar.deploy.device.processes import started

RECORD = "release.json"
INSTALLED = "installed.json"
"""Written last: a folder without it was never finished."""
LOCK = ".edgecvar-deploy"
"""Held by whoever deploys; a folder with other things in it has none, and nothing is ever removed there."""
WELL = "well.json"
"""In a release that a service ran and was found well with, since it was last switched to."""
BEFORE = ".before"
"""What `current` led to before a switch that is not judged yet; a deploy that was cut off there leaves it."""
NOTHING = "nothing"
"""What that leads to where `current` led nowhere."""
SLACK = 60.0
"""Seconds by which what two clocks say may differ."""


class Place:
    """`root` has releases/N, environments/NAME, incoming/SHA256, state/, and the link `current`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.state = root / "state"
        self._lock = Lock(root / LOCK)
        self._before = root / BEFORE

    def release(self, number: int) -> Path:
        return self.root / "releases" / str(number)

    def environment(self, name: str) -> Path:
        return self.root / "environments" / name

    def records(self) -> List[Dict[str, Any]]:
        """Of the releases that are whole, oldest first."""
        found = [document(folder / RECORD) for folder in (self.root / "releases").glob("*") if folder.name.isdigit()]
        return sorted((each for each in found if each), key=lambda record: int(record["number"]))

    def current(self) -> Optional[Dict[str, Any]]:
        return document(self.root / "current" / RECORD)

    def environments(self) -> List[str]:
        return sorted(file.parent.name for file in (self.root / "environments").glob("*/" + INSTALLED))

    def known(self) -> Dict[str, Path]:
        """Files that are here already, by their sha256 as it was when they came."""
        found = {}  # type: Dict[str, Path]
        for record in self.records():
            found.update((sha, self.release(record["number"]) / name) for name, sha in record["files"].items())
        if self.incoming.is_dir():
            found.update((file.name, file) for file in self.incoming.iterdir() if len(file.name) == 64)
        return found

    def lock(self, who: str) -> None:
        """For as long as this process lives; raises Failure where another deploy is at work."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not (self.root / LOCK).exists() and any(self.root.iterdir()):
            raise Failure(f"{self.root}: there are other things in it; name a folder of its own with --root")
        self._lock.take(who)

    def held_by(self) -> Optional[str]:
        """Who deploys just now, in words; None where nobody does."""
        return self._lock.held_by()

    def missing(self, wanted: Sequence[str]) -> List[str]:
        """Of the files wanted, by hash, those that are not here, or not as they were. What is not wanted goes."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        for file in self.incoming.iterdir():
            if file.name not in wanted:
                remove(file)
        known = self.known()
        return [sha for sha in wanted if sha not in known or sha256_of(known[sha]) != sha]

    def receive(self, peer: Peer, sha: str, size: int) -> None:
        """The next `size` bytes become a file of that hash; raises Failure, and OSError where there is no room."""
        draft = self.incoming / (sha + ".part")
        digest = hashlib.sha256()
        with open(str(draft), "wb") as file:
            left = size
            while left:
                some = peer.take(left)
                file.write(some)
                digest.update(some)
                left -= len(some)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != sha:
            draft.unlink()
            raise Failure("a file came with another sha256 than was announced: it changed meanwhile; deploy again")
        draft.rename(self.incoming / sha)

    def assemble(self, number: int, files: Dict[str, str]) -> Path:
        """A release of what has come and what was here, by hard links; without its record it is not whole yet."""
        folder, known = self.release(number), self.known()
        for name, sha in files.items():
            put(known[sha], folder / name)
        return folder

    def next_number(self) -> int:
        """Never that of the release that runs, even where its record was lost."""
        number = max((record["number"] for record in self.records()), default=0) + 1
        return number + 1 if self.leads_to(number) else number

    def leads_to(self, number: int) -> bool:
        """Whether `current` leads to that release."""
        link = self.root / "current"
        return link.is_symlink() and link.resolve() == self.release(number).resolve()

    def switch(self, number: int) -> None:
        """`current` leads to that release, from one moment to the next."""
        self._link(self.root / "current", str(Path("releases") / str(number)))

    def remember(self) -> None:
        """From here on a verdict is due: `go_back` needs no room on the disk, `settle` ends it."""
        link = self.root / "current"
        self._link(self._before, os.readlink(str(link)) if link.is_symlink() else NOTHING)

    @property
    def unjudged(self) -> bool:
        """Whether a switch was made that nobody has judged; who then switched by hand to what is well has judged."""
        return self._before.is_symlink() and not (self.root / "current" / WELL).exists()

    @property
    def judged(self) -> Path:
        """The link to the release that was the current one when last anybody had judged."""
        return self._before if self.unjudged else self.root / "current"

    def go_back(self) -> None:
        """`current` leads where it led before the switch that is not judged, by a rename; it is to be well anew."""
        if not self.unjudged:  # as where the switch itself failed
            self.forget()
            return
        well = self._before.resolve() / WELL
        if os.readlink(str(self._before)) == NOTHING:
            remove(self.root / "current")
            remove(self._before)
        else:
            os.replace(str(self._before), str(self.root / "current"))
        remove(well)
        sync(self.root)

    def forget(self) -> None:
        """No verdict is due: what is remembered would be taken for what was there before a later switch."""
        if self._before.is_symlink():
            remove(self._before)
            sync(self.root)

    def settle(self) -> None:
        """The current release is well; where that cannot be written, the next deploy does all of it again."""
        try:
            self.forget()
            write_record(self.root / "current" / WELL, {})
        except OSError:
            pass

    def is_well(self, process: int) -> bool:
        """Whether a process is of the current release, which was found well."""
        link = self.root / "current"
        if self.unjudged or not (link / WELL).exists():
            return False
        began = started(process)
        return began is not None and began > link.lstat().st_mtime - 1

    def _link(self, link: Path, target: str) -> None:
        draft = self.root / ".current"
        remove(draft)
        draft.symlink_to(target)
        os.replace(str(draft), str(link))
        sync(self.root)

    def drop(self, number: int) -> None:
        """A release, unless it is the current one, and all that came for it."""
        if not self.leads_to(number):
            remove(self.release(number))
            remove(self.incoming)

    def drop_environment(self, name: str) -> None:
        """Unless a release has it."""
        if all(record["environment"] != name for record in self.records()):
            remove(self.environment(name))

    def tidy(self, keep: int, before: Optional[int] = None, since: Optional[float] = None) -> List[int]:
        """Remove what no longer serves: all but the newest `keep` releases and the current one; their numbers.

        `before`: another that stays; `since`: when the oldest process began that may run one of them: what it may have
        found as the current one stays.
        """
        remove(self.incoming)
        records, current = self.records(), self.current()
        stay = {each["number"] for each in records[-keep:]} | {before, current["number"] if current else None}
        for record, after in zip(records, records[1:]):
            if since is not None and after.get("deployed", since) + SLACK > since:
                stay.add(record["number"])
        used = {each["environment"] for each in records if each["number"] in stay}
        gone = [
            folder
            for folder in _folders(self.root / "releases")
            if not (folder.name.isdigit() and int(folder.name) in stay)
        ]
        gone_environments = [folder for folder in _folders(self.root / "environments") if folder.name not in used]
        for folder in (*gone, *gone_environments):
            remove(folder)
        return sorted(int(folder.name) for folder in gone if folder.name.isdigit())


def put(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(str(source), str(target))
    except OSError:
        shutil.copyfile(str(source), str(target))


def write_record(file: Path, document: Dict[str, Any]) -> None:
    write_private(file, json.dumps(document, indent=2))


def write_private(file: Path, text: str) -> None:
    """Whole, for its owner alone: a configuration may have passwords in it."""
    draft = file.with_name("." + file.name)
    remove(draft)
    with os.fdopen(os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(str(draft), str(file))
    sync(file.parent)


def sync(folder: Path) -> None:
    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(file: Path) -> str:
    """Empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(str(file), "rb") as opened:
            for chunk in iter(lambda: opened.read(1 << 20), b""):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def _folders(parent: Path) -> Iterator[Path]:
    return iter(sorted(parent.iterdir())) if parent.is_dir() else iter(())


def document(file: Path) -> Optional[Dict[str, Any]]:
    """None where there is none that can be read."""
    try:
        with open(str(file), encoding="utf-8") as opened:
            found = json.load(opened)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path), ignore_errors=True)
    elif path.exists() or path.is_symlink():
        path.unlink()
