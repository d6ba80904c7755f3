"""The service's configuration as a release has it: the user's, with the release's bundle and key in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Optional

import yaml

from edgecvar.errors import ConfigError
from edgecvar.plain_yaml import parse_yaml
from edgecvar.serve.configuration.config import PORT, is_loopback

RELEASE = "@RELEASE@"
"""Stands for the release's folder, which only the device knows."""
OWN_KEY = re.compile(r".*/releases/\d+/trust\.pub")
"""The key of a release before, of which `deploy` knows by itself."""
HEAD = "# Written by `edgecvar deploy`: bundle (and trust) are the release's own, the rest is yours.\n"


@dataclass(frozen=True)
class Page:
    """Where the device's page is, seen from the device."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    @property
    def health(self) -> str:
        return f"{self.url}healthz"


@dataclass(frozen=True)
class ServiceText:
    """config.yaml of a release, and its page; None where there is none, or its port is a variable's."""

    text: str
    page: Optional[Page]


def service_text(given: Optional[str], name: str, bundle: str, trusted: bool) -> ServiceText:
    """From the text of a configuration, or with nothing but a page; raises ConfigError, which begins with `name`."""
    try:
        document: Any = parse_yaml(given) if given is not None else {"sources": {}}
    except ValueError as error:
        raise ConfigError(f"{name}: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{name}: is no mapping of keys; `edgecvar serve --example` prints one")
    key = document.get("trust")
    if not trusted and key is not None and not (isinstance(key, str) and OWN_KEY.fullmatch(key)):
        raise ConfigError(f"{name}: it trusts {key} alone: name that key here, with --trust KEY.pub, or take it out")
    own: Dict[str, Any] = {"bundle": f"{RELEASE}/{bundle}"}
    if trusted:
        own["trust"] = f"{RELEASE}/trust.pub"
    rest = {key: value for key, value in document.items() if key not in ("bundle", "trust")}
    text = yaml.safe_dump({**own, **rest}, sort_keys=False, allow_unicode=True, width=120)
    return ServiceText(HEAD + text, _page(document.get("page", {})))


def _page(value: Any) -> Optional[Page]:
    if value is False:
        return None
    keys = value if isinstance(value, dict) else {}
    host, port = keys.get("host", "127.0.0.1"), keys.get("port", PORT)
    if isinstance(port, bool) or not isinstance(port, int) or port == 0 or not isinstance(host, str):
        return None
    inside = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return Page(inside, port) if is_loopback(inside) else None
