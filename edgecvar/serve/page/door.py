"""The page, where there is one; the web server behind it is loaded here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol

from edgecvar.errors import need_extra
from edgecvar.serve.configuration.config import PageConfig

if TYPE_CHECKING:
    from edgecvar.serve.page.operations import Operations


class Page(Protocol):
    """A page that is being served."""

    @property
    def url(self) -> str: ...

    def answers(self) -> bool:
        """Whether its thread does something."""
        ...

    def close(self) -> None: ...


def open_page(config: Optional[PageConfig], operations: Operations) -> Optional[Page]:
    """None without a page; raises ConfigError without aiohttp, EdgecvarError where it cannot listen."""
    if config is None:
        return None
    need_extra("live", "the page", "aiohttp")
    from edgecvar.serve.page.server import PageServer

    return PageServer(config, operations)
