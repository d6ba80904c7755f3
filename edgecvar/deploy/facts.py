"""What a device says of itself, and what that means for a deploy: what stands in its way, what should be known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Type, TypeVar

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from edgecvar.bench.board.advice import board_advice
from edgecvar.bundle.devices import device_that_says, l4t_that_says
from edgecvar.errors import ConfigError, DeviceError

JETPACKS = {"32": "4.6", "35": "5.1", "36": "6", "38": "7", "39": "7"}
"""Of releases of Jetson Linux."""
ENVIRONMENT_BYTES = 500_000_000
"""What edgecvar and all that it needs take, some of it twice while it is installed."""


class Python(BaseModel):
    """The Python that environments are made with, and the TensorRT that it has. `venv`: whether it can make any."""

    model_config = ConfigDict(frozen=True)

    path: str
    version: Tuple[int, int, int]
    machine: str
    venv: bool
    tensorrt: Optional[str] = None
    tensorrt_folder: Optional[str] = None

    @property
    def name(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


class ServiceFacts(BaseModel):
    """`systemd`: whether the user's own answers, else `why_not`; `linger`: whether it starts with the device.

    `runs_current`: its process is of the current release, which was found well. `stranger`: why its unit is not to be
    written. `held`: who deploys into whatever folder just now.
    """

    model_config = ConfigDict(frozen=True)

    systemd: bool
    why_not: Optional[str] = None
    linger: bool
    active: bool
    runs_current: bool = False
    stranger: Optional[str] = None
    held: Optional[str] = None
    plain_path: bool


class Release(BaseModel):
    """What a device runs now, as its record has it."""

    model_config = ConfigDict(frozen=True)

    number: int
    version: str
    environment: str
    bundle: str
    files: Dict[str, str]
    config: str


class Facts(BaseModel):
    """A device as `device/look.py` saw it. `unjudged`: the current release is not `current`, but one after it."""

    model_config = ConfigDict(frozen=True)

    user: str
    root: str
    machine: str
    model: str = ""
    release: str = ""
    power: Optional[str] = None
    free: int
    python: Optional[Python] = None
    nvcc: Optional[str] = None
    current: Optional[Release] = None
    config: str = ""
    unjudged: bool = False
    known: List[str] = []
    environments: List[str] = []
    held: Optional[str] = None
    service: ServiceFacts

    @property
    def l4t(self) -> Optional[str]:
        return l4t_that_says(self.release)

    @property
    def jetpack(self) -> Optional[str]:
        return None if self.l4t is None else JETPACKS.get(self.l4t.split(".")[0], "unknown")

    @property
    def title(self) -> str:
        try:
            device = device_that_says(self.model, self.l4t)
        except ConfigError:
            return self.model or "a Jetson that is not in the table"
        return device.title if device.name != "cpu" else self.model or "no Jetson"

    @property
    def text(self) -> str:
        """One line for a person."""
        python = self.python
        said = [self.title, self.machine]
        if self.l4t is not None:
            said.append(f"JetPack {self.jetpack} (L4T {self.l4t})")
        if python is not None:
            said += [f"TensorRT {python.tensorrt or 'not found'}", f"Python {python.name}"]
        said.append(f"{self.free / 1e9:.1f} GB free")
        return ", ".join(said + ([f"power mode {self.power}"] if self.power else []))


@dataclass(frozen=True)
class Judgement:
    """`against`: why nothing can be deployed; `notes`: what should be known."""

    against: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)


class Verified(BaseModel):
    """What was compared with what."""

    model_config = ConfigDict(frozen=True)

    compared: List[str]
    reference: str


class Done(BaseModel):
    """What a device says at the end of a deploy."""

    model_config = ConfigDict(frozen=True)

    release: int
    verified: Verified
    removed: List[int] = []
    notes: List[str] = []


class Wanted(RootModel[List[str]]):
    """The hashes of the files that it asks for."""


M = TypeVar("M", bound=BaseModel)


def read_facts(document: Any) -> Facts:
    """Raises DeviceError where it is no such document."""
    return read_answer(Facts, document)


def read_answer(kind: Type[M], document: Any) -> M:
    """Raises DeviceError where it is no such document."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "all of it"
        raise DeviceError(f"the device says what cannot be read ({place}); deploy again") from error


def judge(facts: Facts, need: int, service: bool) -> Judgement:
    """Whether `need` bytes, and a service unless it is left alone, can be put there."""
    against, notes = _python(facts)
    held = facts.held or (facts.service.held if service else None)
    if held is not None:
        against.append(f"another deploy is at work there ({held})")
    elif facts.unjudged:
        back = "no release" if facts.current is None else f"release {facts.current.number}"
        notes.append(
            "a deploy was cut off there between its switch and its verdict (the device restarted, or the process was "
            f"killed): what it switched to is unjudged, so the next one goes back to {back} first"
        )
    if facts.free < need:
        against.append(
            f"{need / 1e6:.0f} MB are needed in {facts.root}, and {facts.free / 1e6:.0f} MB are free: make room, "
            "or name another place with --root"
        )
    if service and not facts.service.systemd:
        against.append(
            f"the user's own systemd does not answer ({facts.service.why_not or 'no reason'}): --no-service leaves the "
            "service to you"
        )
    if service and facts.service.stranger is not None:
        against.append(facts.service.stranger)
    if service and not facts.service.plain_path:
        against.append(f"{facts.root}: a service's folder has letters, digits and ._+~- alone; name one with --root")
    return Judgement(against, [*notes, *board_advice(facts.power or "", None, "")])


def _python(facts: Facts) -> Tuple[List[str], List[str]]:
    python = facts.python
    if python is None:
        remedy = "sudo jetson/install-jp46.sh brings one" if facts.jetpack == "4.6" else "name one with --python"
        return [f"no Python from 3.8 to 3.14 is there: {remedy}"], []
    against, notes = [], []
    if not python.venv:
        against.append(f"{python.path} makes no environments: sudo apt-get install python{python.name}-venv")
    if python.tensorrt is not None and facts.nvcc is None:
        against.append("CUDA's nvcc is missing, which pycuda is compiled with: sudo apt-get install nvidia-jetpack")
    if python.tensorrt is None and facts.l4t is not None:
        notes.append(
            "no Python there has TensorRT, so everything runs on the processor: sudo apt-get install "
            "python3-libnvinfer (on JetPack 4.6 jetson/install-jp46.sh)"
        )
    return against, notes
