"""Who may see the page, under which name, and what a browser may do with it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from typing import Optional
from urllib.parse import urlsplit

from edgecvar.serve.configuration.config import PageConfig

COOKIE = "edgecvar"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """The rules of one page.

    A name that a stranger's server resolves to this machine (DNS rebinding) is refused, as is what another site's page
    sends; without a token nobody is asked for one, which `PageConfig` allows on loopback alone.
    """

    def __init__(self, config: PageConfig) -> None:
        self._token = None if config.token is None else config.token.get_secret_value()
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own}.local", *(name.lower() for name in config.names)}

    @property
    def asks(self) -> bool:
        """Whether a token is asked for."""
        return self._token is not None

    @property
    def session(self) -> str:
        """What the cookie holds: made of the token, which cannot be made of it; another token ends all sessions."""
        return _digest(self._token or "", b"session").hex()

    def knows(self, host: Optional[str]) -> bool:
        """Whether a Host header is an address, which needs no name server, or one of this page's names."""
        name = _name(host or "")
        if name.lower() in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def same_origin(self, origin: Optional[str], host: Optional[str], site: Optional[str]) -> bool:
        """Whether a request is this page's own, by its headers Origin, Host, Sec-Fetch-Site; programs send but Host."""
        if site not in (None, "same-origin", "none"):
            return False
        if origin is None:
            return True
        try:
            return urlsplit(origin).netloc.lower() == (host or "").lower()
        except ValueError:  # it is no URL
            return False

    def token_is(self, given: str) -> bool:
        """Compared in a time that tells nothing."""
        return self._token is not None and hmac.compare_digest(_digest(given, b"token"), _digest(self._token, b"token"))

    def session_is(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.session.encode())

    def admits(self, authorization: Optional[str], cookie: Optional[str]) -> bool:
        """Whether a request with these headers may see what is behind the token."""
        if not self.asks:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.token_is(given.strip()):
            return True
        return cookie is not None and self.session_is(cookie)


def _name(host: str) -> str:
    """A Host header without its port, an IPv6 address without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _digest(text: str, purpose: bytes) -> bytes:
    return hmac.new(text.encode("utf-8", "surrogatepass"), b"edgecvar page " + purpose, hashlib.sha256).digest()
