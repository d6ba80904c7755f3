"""Passwords of URIs: taken from the environment where a URI has none, and left out of what is printed."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

USER, PASSWORD = "EDGECVAR_USER", "EDGECVAR_PASSWORD"
_WITH_CREDENTIALS = ("rtsp", "rtsps", "http", "https")
_USER = re.compile(r"(://[^/?#:]*:)[^/?#]*@")
_TOKEN = re.compile(r"(?i)(https?://)[^/?#@:]+:?@")
"""A user without a password; other schemes have names there, such as that of a container."""
_NAMES = (
    "pass(?:word|wd|phrase)?|pwd|(?:access|api)?(?:token|key)|secret|auth(?:orization)?|sig(?:nature)?|hmac|jwt|sas"
)
_IN_QUERY = re.compile(rf"(?i)([?&;#](?:[^=&;/]*[_.-])?(?:{_NAMES})=)[^&;]*")
"""A value may have slashes, which libraries decode."""
_CAMERA = re.compile(r"(?i)(?:rtsp|rtmp|http)s?://[^?#]*")
_IN_PATH = re.compile(r"(?i)([&;/_-](?:pass(?:word|wd|phrase)?|pwd|secret)=)[^&;/]*")
"""Of what cameras have: in an archive's path key=1 is a folder."""
_IN_TEXT = re.compile(r"\S*://\S*?(?=[:,;.)'\"]*(?:\s|$))")


def scheme_of(source: object) -> str:
    """The scheme of a URI, in small letters; empty for what is a path, or no name."""
    if not isinstance(source, str) or os.path.exists(source):
        return ""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    return found[1].lower() if found else ""


def with_credentials(uri: str) -> str:
    """The URI with the user and password of the environment, where it has none of its own and is of a server's."""
    user, (scheme, _, rest) = os.environ.get(USER, ""), uri.partition("://")
    if not user or scheme_of(uri) not in _WITH_CREDENTIALS or "@" in re.split("[/?#]", rest)[0]:
        return uri
    return f"{scheme}://{quote(user, safe='')}:{quote(os.environ.get(PASSWORD, ''), safe='')}@{rest}"


def without_password(url: str) -> str:
    """A URL with *** for its password, and for what looks like one among its parameters; other text as it is."""
    if "://" not in url:
        return url
    told = _USER.sub(r"\1***@", _TOKEN.sub(r"\1***@", url))
    told = _CAMERA.sub(lambda found: _IN_PATH.sub(r"\1***", found[0]), told)
    return _IN_QUERY.sub(r"\1***", told)


def without_passwords(text: str, name: str) -> str:
    """What is said of the URL `name`, with *** for passwords in it and in other URLs; the words between stay."""
    told = text.replace(name, without_password(name))
    return _IN_TEXT.sub(lambda found: without_password(found[0]), told)
