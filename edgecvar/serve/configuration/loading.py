"""A service's configuration out of its file, checked whole: all that is wrong is said at once."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, Callable, List, Mapping, Sequence

from pydantic import ValidationError

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.config import mistakes, shortened
from edgecvar.documents import read_text
from edgecvar.errors import ConfigError, EdgecvarError, need_extra, reason
from edgecvar.files import check_writable
from edgecvar.plain_yaml import parse_yaml
from edgecvar.runners.choice import resolve
from edgecvar.serve.configuration.config import ServeConfig
from edgecvar.serve.configuration.environment import fill_in
from edgecvar.sinks.delivery.opening import open_delivery
from edgecvar.stream.sources.address import check_address, scheme_of
from edgecvar.stream.sources.opening import path_of, without_password

LARGEST = 1 << 20
SECRET = {"token", "password", "secret", "key"}
"""Of keys whose values are never shown."""


class WrongConfig(ConfigError):
    """All that is wrong with a configuration: `lines`, each with its key."""

    def __init__(self, file: Path, lines: Sequence[str]) -> None:
        self.lines = [f"{file}: {line}" for line in lines]
        super().__init__("; ".join(self.lines))


def load_config(file: Path, environment: Mapping[str, str] = os.environ) -> ServeConfig:
    """The configuration; raises WrongConfig with all that its text tells to be wrong."""
    try:
        document = parse_yaml(read_text(file, LARGEST))
    except OSError as error:
        raise WrongConfig(file, [f"cannot be read ({reason(error)}); `edgecvar serve --example` prints one"]) from error
    except ValueError as error:
        raise WrongConfig(file, [" ".join(str(error).split())]) from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise WrongConfig(file, ["is no mapping of keys; `edgecvar serve --example` prints one"])
    filled, wrong = fill_in(document, environment)
    if "EDGECVAR_TRUST" in environment:
        filled.setdefault("trust", environment["EDGECVAR_TRUST"])
    try:
        config = ServeConfig.model_validate(filled)
    except ValidationError as error:
        told = mistakes(error, ServeConfig, lambda place, value: _shown(document, place))
        raise WrongConfig(file, [*wrong, *told]) from error
    if wrong:
        raise WrongConfig(file, wrong)
    return config


def check_config(file: Path, config: ServeConfig) -> Bundle:
    """The opened bundle; raises WrongConfig with all that is not there, or cannot be done here."""
    wrong: List[str] = []
    opened: List[Bundle] = []

    def check(key: str, work: Callable[[], Any], remedy: str = "") -> None:
        try:
            work()
        except EdgecvarError as error:
            wrong.append(f"{key}: {error}{remedy}")

    check("bundle", lambda: opened.append(open_bundle(config.bundle or default_bundle(), config.trust)))
    for bundle in opened:
        check("runner", partial(resolve, bundle, config))
        check("events", partial(config.events.check, bundle.manifest.labels))
    for name, source in config.sources.items():
        check(f"sources.{name}.uri", partial(_check_file, source.uri))
    for number, uri in enumerate(config.to):
        check(f"to.{number}", partial(open_delivery, uri))
    if config.clips is not None:
        check("clips.folder", partial(check_writable, config.clips.folder))
    if config.page is not None:
        check("page", lambda: need_extra("live", "it", "aiohttp"), ", or leave the page out (page: false)")
    elif not config.sources:
        wrong.append("sources: there are none, and no page on which one could be added")
    if wrong:
        raise WrongConfig(file, wrong)
    return opened[0]


def _check_file(uri: str) -> None:
    """Raises ConfigError where it leads nowhere; what a URL leads to is waited for."""
    check_address(uri, without_password(uri))
    path = path_of(uri) if scheme_of(uri) in ("", "file") else None
    if path is not None and not path.exists():
        raise ConfigError(f"{path}: no such file; a camera is named by a URL, such as rtsp://")


def _shown(document: Any, place: Sequence[str]) -> str:
    """What stands in the file at a place, before values of the environment are put in; secrets as ***."""
    value = document
    for part in place:
        if any(word in part.lower() for word in SECRET):
            return "***"
        word = {"on": True, "off": False}.get(part, part)  # which YAML takes for them
        if isinstance(value, dict) and (part in value or word in value):
            value = value[part if part in value else word]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            break
    if isinstance(value, (dict, list)):  # in which there may be secrets
        return ""
    return shortened(without_password(value) if isinstance(value, str) else value)
