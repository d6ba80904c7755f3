"""Where a sink delivers to, as its URI says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Dict, Optional, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from edgecvar.errors import ConfigError, unknown_name


@dataclass(frozen=True)
class Address:
    """The parts of a URI. `name` is for people: without user, password, query, and of a webhook without the path,
    which is often the secret. `key` tells one place from another, whatever the password.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    name: str
    key: str
    user: Optional[str] = field(default=None, repr=False)
    password: Optional[str] = field(default=None, repr=False)
    settings: Dict[str, str] = field(default_factory=dict)


def without_secrets(uri: str) -> str:
    """A URI as an error may show it, whatever is wrong with it: neither who logs in, nor what follows the host."""
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return re.split(r"[?#]", uri)[0]
    host = re.split(r"[/?#]", rest.rpartition("@")[2])[0]
    return f"{scheme}://{host}" + "/..." * (len(rest.rpartition("@")[2]) > len(host))


def network_address(uri: str, port: int, known: Sequence[str] = (), settings_in: str = "query") -> Address:
    """The parts of `scheme://[user[:password]@]host[:port]/path`; raises ConfigError, which shows no secret.

    `port` where the URI names none; `known`: settings that its query, or what follows a #, may hold.
    """
    shown = without_secrets(uri)
    try:
        parts = urlsplit(uri)
        number = parts.port or port
    except ValueError:  # whose text may hold the password
        raise ConfigError(f"{shown}: its host or port is none; write {_FORM}") from None
    if not parts.hostname:
        raise ConfigError(f"{shown}: names no host; write {_FORM}")
    if settings_in == "query" and "#" in uri:
        raise ConfigError(f"{shown}: a # means nothing here; write %23")
    query = "" if settings_in == "query" else parts.query
    settings = settings_of(shown, parts.query if settings_in == "query" else parts.fragment, known)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = parts.scheme.lower()
    place = f"{scheme}://{host}:{number}{parts.path}?{query}"
    ending = "/..." if settings_in == "fragment" and parts.path.strip("/") else parts.path
    return Address(
        scheme=scheme,
        host=parts.hostname,
        port=number,
        path=parts.path,
        query=query,
        name=f"{scheme}://{host}{'' if parts.port is None else f':{number}'}{ending}",
        key=f"{scheme}-{sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        settings=settings,
    )


_FORM = "SCHEME://[USER[:PASSWORD]@]HOST[:PORT]/..., with %2F for / and %40 for @ in a password"


def settings_of(name: str, text: str, known: Sequence[str]) -> Dict[str, str]:
    """The settings `key=value&...`; raises ConfigError for one that is not known, or is given twice."""
    settings: Dict[str, str] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise ConfigError(f"{name}: its settings are not of the form key=value&key=value") from None
    for key, value in pairs:
        if key not in known:
            if not known:
                raise ConfigError(f"{name}: takes no settings, got {key!r}")
            raise unknown_name("setting", key, known, f" of {name}")
        if key in settings:
            raise ConfigError(f"{name}: setting {key!r} is given twice")
        settings[key] = value
    return settings


def positive(name: str, settings: Dict[str, str], key: str, default: float) -> float:
    """A setting that is a number above 0; raises ConfigError."""
    try:
        value = float(settings.get(key, default))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{name}: setting {key!r}: expected a number above 0, got {settings[key][:40]!r}")
    return value
