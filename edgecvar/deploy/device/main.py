"""One deploy, as the device carries it out: look, receive, complete; before the switch everything is beside the old."""

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from edgecvar.deploy.device.environment import install
from edgecvar.deploy.device.look import look
from edgecvar.deploy.device.peer import Failure, Gone, Peer, listen_for_the_end, stay
from edgecvar.deploy.device.place import RECORD, Place, put, sha256_of, write_private, write_record
from edgecvar.deploy.device.processes import oldest_in
from edgecvar.deploy.device.service import Service, explain


class Unsuited(Failure):
    """What an edgecvar that works does not find good: a configuration, a bundle."""


BROKEN = re.compile(
    r"^Traceback |^File \".+\", line \d|^Fatal Python error|No module named|cannot import|cannot be imported"
    r"|[Ii]mporting .+ failed|\.so[.\d]*: "
)
"""In a line that a program says of itself where it does not run, or cannot load a library."""
HELLO = 1
"""The version of what is said between the two halves, which always come from one place."""


def main() -> None:
    listen_for_the_end()
    os.umask(0o022)
    peer = Peer()
    try:
        peer.say(hello=HELLO)
        try:
            while True:
                _answer(peer, peer.request())
        except Gone:
            raise
        except Exception as error:
            peer.say(failed=explain(error))
    except Gone:
        pass


def _answer(peer: Peer, request: Dict[str, Any]) -> None:
    home = Path(os.path.expanduser("~"))
    place = Place(home / os.path.expanduser(request["root"]))
    service = Service(place, home)
    if request["do"] == "look":
        peer.say(done=look(place, service, request["python"]))
    elif request["do"] == "deploy":
        place.lock(request["who"])
        if request["plan"]["service"]:
            service.claim(request["who"])
        service.resolve(peer)
        try:
            missing = place.missing(list(request["files"]))
            peer.say(done=missing)
            for sha in missing:
                place.receive(peer, sha, request["files"][sha])
            peer.say(done=_complete(place, service, request["plan"], peer))
        except Gone:
            raise
        except Exception:  # a disk that is full must not stay so
            shutil.rmtree(str(place.incoming), ignore_errors=True)
            raise


def _complete(place: Place, service: Service, plan: Dict[str, Any], peer: Peer) -> Dict[str, Any]:
    """Install, build, verify beside what runs; then switch. Raises Failure, and others, with all as it was before."""
    number, before = place.next_number(), place.current()
    folder, aborted = place.release(number), place.root / "aborted"
    if folder.exists():  # engines that were built in it took minutes
        shutil.rmtree(str(aborted), ignore_errors=True)
        folder.rename(aborted)
    try:
        if plan["service"]:
            service.enable_linger()
        program = str(install(place, plan, peer) / "bin" / "edgecvar")
        _assemble(place, number, plan, aborted)
        verified = _prove_or_drop(place, number, program, service, plan, peer)
        record = {key: plan[key] for key in ("version", "environment", "bundle", "files", "config", "page", "who")}
        os.sync()
        peer.may_switch()
        peer.alone = True
        peer.say(step="switching")
        stay()
        # Not before: what was cut off never ran, and must not count as a release that is whole.
        write_record(folder / RECORD, dict(record, number=number, verified=verified, deployed=time.time()))
        notes = _switch(place, service, number, plan, peer)
    except Gone:
        raise
    except Exception:
        place.drop(number)  # unless the way back has failed, too
        shutil.rmtree(str(aborted), ignore_errors=True)
        raise
    shutil.rmtree(str(aborted), ignore_errors=True)
    return {"release": number, "verified": verified, "removed": _tidy(place, plan, before), "notes": notes}


def _tidy(place: Place, plan: Dict[str, Any], before: Optional[Dict[str, Any]]) -> List[int]:
    """Whoever runs it without our service may not have started it anew yet."""
    if plan["service"]:
        return place.tidy(plan["keep"])
    return place.tidy(plan["keep"], before["number"] if before else None, oldest_in(place.root))


def _assemble(place: Place, number: int, plan: Dict[str, Any], aborted: Path) -> None:
    folder, before = place.assemble(number, plan["files"]), place.current()
    (folder / "environment").symlink_to(Path("../../environments") / plan["environment"])
    text = plan["config"].replace("@RELEASE@", str(folder))
    write_private(folder / "config.yaml", text)
    place.state.mkdir(exist_ok=True)
    sources = [aborted / plan["bundle"]]
    sources += [place.release(before["number"]) / before["bundle"]] if before else []
    _carry_engines(sources, folder / plan["bundle"])


def _prove_or_drop(
    place: Place, number: int, program: str, service: Service, plan: Dict[str, Any], peer: Peer
) -> Dict[str, Any]:
    """As `_prove`; an environment that does not run goes, or the next deploy would take it again."""
    try:
        return _prove(place.release(number), program, service, plan, peer)
    except (Gone, Unsuited):
        raise
    except Exception:
        place.drop_environment(plan["environment"])
        raise


def _prove(folder: Path, program: str, service: Service, plan: Dict[str, Any], peer: Peer) -> Dict[str, Any]:
    """Check the configuration, build engines, verify; what was compared with what. Raises Failure."""
    bundle = str(folder / plan["bundle"])
    options = ["--trust", str(folder / "trust.pub")] if "trust.pub" in plan["files"] else []
    if plan["service"]:
        peer.say(step="checking the configuration")
        check = [program, "serve", "--check", str(folder / "config.yaml")]
        _must(peer, "the configuration", check, service.variables(), str(folder.parent.parent / "state"))
    if plan["build"]:
        peer.say(step="building engines")
        _must(peer, "edgecvar build", [program, "build", bundle, *options])
    peer.say(step="verifying")
    code, out, said = peer.run([program, "verify", bundle, "--json", *options])
    try:
        document = json.loads(out)
    except ValueError:
        document = None
    if document is None:
        raise Failure("edgecvar verify failed: {}".format(" ".join(said[-2:]) or f"exit code {code}"))
    failures = [failure for each in document["figures"] for failure in each["failures"]]
    if document["passed"] is False:
        raise Unsuited("the bundle does not compute here what it should: {}".format("; ".join(failures)[:600]))
    return {"compared": [each["runner"] for each in document["figures"]], "reference": document["reference"]}


def _switch(place: Place, service: Service, number: int, plan: Dict[str, Any], peer: Peer) -> List[str]:
    if not plan["service"]:
        place.forget()  # first: nobody will judge this switch
        place.switch(number)
        return []
    return service.activate(number, plan["page"], plan["wait"], peer)


def _carry_engines(sources: List[Path], bundle: Path) -> None:
    """Engines of before, where a folder's files are as they were written; `edgecvar build` makes anew what is stale."""
    for source in sources:
        for folder in sorted((source / "engines").glob("[!.]*")):
            target, listed = bundle / "engines" / folder.name, _listed(folder)
            if not target.exists() and all(sha256_of(folder / name) == sha for name, sha in listed.items()):
                for name in [*listed, "index.json"] if listed else []:
                    put(folder / name, target / name)


def _listed(folder: Path) -> Dict[str, str]:
    """Hashes by the names of plain files in that very folder; nothing where its index says anything else."""
    try:
        with open(str(folder / "index.json"), encoding="utf-8") as file:
            listed = json.load(file)["sha256"]
        plain = all(isinstance(sha, str) and os.path.basename(name) == name for name, sha in listed.items())
        links = any((folder / name).is_symlink() for name in ("", "..", "index.json", *listed))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return dict(listed) if plain and not links and not {"", ".", ".."} & set(listed) else {}


def _must(
    peer: Peer,
    what: str,
    command: List[str],
    environment: Optional[Dict[str, str]] = None,
    folder: Optional[str] = None,
) -> None:
    code, _, said = peer.run(command, environment, folder)
    if code:
        runs = 0 < code < 126 and not any(BROKEN.search(line) for line in said)
        failure = Unsuited if runs else Failure
        raise failure("{} failed: {}".format(what, " | ".join(said[-4:]) or f"exit code {code}"))
