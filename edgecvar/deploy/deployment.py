"""A deploy from its beginning to its end, as the workstation sees it: look, judge, send, wait."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.manifest import Bundle
from edgecvar.deploy.configuration import ServiceText, service_text
from edgecvar.deploy.connection import ALONE, Connection
from edgecvar.deploy.facts import (
    ENVIRONMENT_BYTES,
    Done,
    Facts,
    Judgement,
    Python,
    Wanted,
    judge,
    read_answer,
    read_facts,
)
from edgecvar.deploy.parcel import Part, Wheels, find_wheels, folder_name, release_files
from edgecvar.deploy.target import Target
from edgecvar.documents import read_text
from edgecvar.errors import ConfigError, DeviceError, reason
from edgecvar.progress import Progress, silent

ROOT = "~/.local/share/edgecvar"


class DeployConfig(BaseModel):
    """What is deployed, and how. `config`: of the service; without it that of the release before, or a page alone.

    `wheel`: a wheel, or a folder of wheels; `offline`: nothing else is installed from. `trust`: a key that must have
    signed the bundle; `unsigned`: the service there, which asked for one, no longer does. `root`: the folder on the
    device. `service`: whether there is one. `keep`: releases that stay. `wait`: seconds until the service must be well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Optional[Path] = None
    wheel: Optional[Path] = None
    offline: bool = False
    trust: Optional[Path] = None
    unsigned: bool = False
    root: str = ROOT
    python: Optional[str] = None
    service: bool = True
    keep: int = Field(3, ge=1, le=100)
    wait: float = Field(120.0, gt=0, le=7200)


@dataclass(frozen=True)
class Plan:
    """All that is decided before anything is sent: what goes there, what is there, what will be done."""

    facts: Facts
    judgement: Judgement
    files: Dict[str, Part]
    wheels: Wheels
    text: ServiceText
    bundle: str
    environment: str
    service: bool = True
    steps: List[str] = field(default_factory=list)

    @property
    def parts(self) -> Dict[str, Part]:
        """What goes there, by hash."""
        needed = {} if self.environment in self.facts.environments else self.wheels.parts
        return {part.sha256: part for part in (*self.files.values(), *needed.values())}

    @property
    def missing(self) -> List[Part]:
        """What of it has not been there before, as far as it is known."""
        return [part for sha, part in self.parts.items() if sha not in self.facts.known]

    @property
    def unchanged(self) -> bool:
        """Whether it is what runs there already, and was found well; without our service, what is switched to."""
        now, there = self.facts.current, self.facts.service
        if self.facts.unjudged or (self.service and not there.runs_current):
            return False
        same = now is not None and now.environment == self.environment and now.config == self.text.text
        return bool(same and now and now.files == {name: part.sha256 for name, part in self.files.items()})


@dataclass(frozen=True)
class Outcome:
    """What a deploy came to; `release` is None where it was only asked what would be done."""

    plan: Plan
    done: bool
    release: Optional[int]
    verified: Optional[Dict[str, Any]] = None
    removed: Tuple[int, ...] = ()
    sent_files: int = 0
    sent_bytes: int = 0
    notes: List[str] = field(default_factory=list)
    tunnel: Optional[str] = None


def deploy(
    target: Target, bundle: Bundle, config: DeployConfig, dry_run: bool = False, progress: Progress = silent
) -> Outcome:
    """Put the bundle there and run it, or say what would be done; raises EdgecvarError with the device as it was."""
    if config.offline and config.wheel is None:
        raise ConfigError("--offline: name the folder of wheels that the device installs from with --wheel")
    if config.unsigned and config.trust is not None:
        raise ConfigError(
            "--unsigned: a key to trust is given, too (--trust, or EDGECVAR_TRUST); leave one of them out"
        )
    given = None if config.config is None else _read(config.config)
    with Connection(target, lambda kind, text: progress(0, 0, text)) as device:
        try:
            facts = read_facts(device.ask(do="look", root=config.root, python=config.python))
            plan = make_plan(facts, bundle, config, given)
            tunnel = None if plan.text.page is None else target.tunnel(plan.text.page.host, plan.text.page.port)
            if plan.judgement.against and not dry_run:
                raise DeviceError(f"{target.host}: {'; '.join(plan.judgement.against)}")
            if dry_run or plan.unchanged:
                number = None if dry_run or facts.current is None else facts.current.number
                return Outcome(plan, not dry_run, number, notes=plan.judgement.notes, tunnel=tunnel)
            return _carry_out(device, plan, config, tunnel, progress)
        except KeyboardInterrupt as stop:
            what = (
                "the device finishes the switch, or takes it back" if device.step in ALONE else "nothing was switched"
            )
            stop.args = (f"interrupted while {device.step}: {what}",)
            raise


def make_plan(facts: Facts, bundle: Bundle, config: DeployConfig, given: Optional[str]) -> Plan:
    """Raises ConfigError where a wheel or a configuration will not do."""
    name = folder_name(bundle)
    files = release_files(bundle, name, config.trust)
    python = facts.python or Python(path="python3", version=(3, 8, 0), machine=facts.machine, venv=False)
    wheels = find_wheels(config.wheel, python.version, python.machine)
    # TensorRT may come to a device, or a key to a deploy, after an environment without it was made.
    extras = ("-tensorrt" if python.tensorrt else "") + ("-signed" if config.trust is not None else "")
    environment = f"{wheels.tag(config.offline)}-py{python.name}{extras}"
    kept = given if given is not None else facts.config or None
    where = str(config.config) if config.config is not None else "the configuration on the device"
    text = service_text(kept, where, name, config.trust is not None)
    plan = Plan(facts, Judgement(), files, wheels, text, name, environment, config.service)
    new = environment not in facts.environments
    engines = 2 * sum(part.size for part in files.values()) if python.tensorrt else 0
    need = sum(part.size for part in plan.missing) + engines + (ENVIRONMENT_BYTES if new else 0)
    judgement = judge(facts, need, config.service)
    if facts.current and "trust.pub" in facts.current.files and config.trust is None and not config.unsigned:
        judgement.against.append(
            "signed bundles alone are trusted there: add --trust KEY.pub, or end that by --unsigned"
        )
    return replace(plan, judgement=judgement, steps=_steps(plan, python, config, new))


def _steps(plan: Plan, python: Python, config: DeployConfig, new: bool) -> List[str]:
    """In words, what is to be done."""
    missing, now = plan.missing, plan.facts.current
    size = sum(part.size for part in missing) / 1e6
    said = [f"send {len(missing)} of {len(plan.parts)} files, {size:.1f} MB"]
    origin = plan.wheels.own or "the package index"
    if new:
        said.append(f"install edgecvar {plan.wheels.version} from {origin}, for Python {python.name}")
    if config.service and not plan.facts.service.linger:
        user = plan.facts.user
        said.append(
            f"let services of {user} start with the device (loginctl enable-linger; where that is refused, run once "
            f"there: sudo loginctl enable-linger {user})"
        )
    if python.tensorrt:
        said.append(f"build engines with TensorRT {python.tensorrt}, unless those of before fit")
    said.append("verify")
    before = "" if now is None else f" from release {now.number} ({now.bundle}, edgecvar {now.version})"
    said.append(f"switch{before}" + (", restart the service, wait until it is well" if config.service else ""))
    return said


def _carry_out(
    device: Connection, plan: Plan, config: DeployConfig, tunnel: Optional[str], progress: Progress
) -> Outcome:
    parts = plan.parts
    sizes = {sha: part.size for sha, part in parts.items()}
    answer = device.ask(do="deploy", root=config.root, who=_who(), files=sizes, plan=_document(plan, config))
    asked = read_answer(Wanted, answer).root
    missing = [parts[sha] for sha in asked if sha in parts]
    if len(missing) != len(asked):
        raise DeviceError("the device asks for files that were not offered")
    total, sent = sum(part.size for part in missing), 0
    device.step = "sending"

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        progress(sent // 1_000_000, total // 1_000_000, "sending MB")

    for part in missing:
        device.send(part.path, part.size, count)
    done = read_answer(Done, device.reply())
    return Outcome(
        plan,
        True,
        done.release,
        done.verified.model_dump(),
        tuple(done.removed),
        len(missing),
        total,
        [*plan.judgement.notes, *done.notes],
        tunnel,
    )


def _document(plan: Plan, config: DeployConfig) -> Dict[str, Any]:
    """What the device's half is told to do; names alone, it knows how."""
    python = plan.facts.python
    if python is None:
        raise ConfigError("no Python was found on the device")
    extras = ["live", *(["device"] if python.tensorrt else []), *(["sign"] if config.trust is not None else [])]
    return {
        "version": plan.wheels.version,
        "requirement": f"edgecvar[{','.join(extras)}]=={plan.wheels.version}",
        "environment": plan.environment,
        "wheels": {name: part.sha256 for name, part in plan.wheels.parts.items()},
        "own_wheel": plan.wheels.own,
        "offline": config.offline,
        "python": python.path,
        "tensorrt_folder": python.tensorrt_folder,
        "build": python.tensorrt is not None,
        "bundle": plan.bundle,
        "files": {name: part.sha256 for name, part in plan.files.items()},
        "config": plan.text.text,
        "page": None if plan.text.page is None else plan.text.page.health,
        "service": config.service,
        "wait": config.wait,
        "keep": config.keep,
        "who": _who(),
    }


def _who() -> str:
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name
        return socket.gethostname()


def _read(file: Path) -> str:
    try:
        return read_text(file, 1 << 20)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({reason(error)})") from error
