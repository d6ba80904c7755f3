"""The thread in which the page is served."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillBusy
from contextlib import suppress
from typing import Any, Coroutine, Optional, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from edgecvar.errors import EdgecvarError, reason
from edgecvar.serve.configuration.config import PageConfig
from edgecvar.serve.page.app import App
from edgecvar.serve.page.guard import Guard
from edgecvar.serve.page.operations import Operations

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds after which a page that does not answer is held to be stuck."""
END_SECONDS = 0.5
_LOGGER = logging.getLogger("edgecvar.page")
# What is no HTTP is answered by 400; a traceback of each would let any stranger fill the log.
_LOGGER.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))


class PageServer:
    """Serves from when it is made until `close`; raises EdgecvarError where it cannot listen."""

    def __init__(self, config: PageConfig, operations: Operations) -> None:
        self._config = config
        self._loop = asyncio.new_event_loop()
        self._runner: Optional[web.AppRunner] = None
        self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="edgecvar-page", daemon=True)
        self._thread.start()
        try:
            self.port: int = self._call(self._start(operations))
        except OSError as error:
            self._stop_loop()
            where = f"{config.host}:{config.port}"
            why = f"page: cannot listen at {where} ({reason(error)}); choose another page.port, or end what listens"
            raise EdgecvarError(why) from error

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self._config.host in ("0.0.0.0", "::") else self._config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def answers(self) -> bool:
        """Whether its thread does something; to be asked now and then."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._answer)
        return time.monotonic() - self._answered < PATIENCE

    def close(self) -> None:
        if self._runner is not None:
            with suppress(StillBusy):  # its port is free by then, and nobody can wait for who holds it up
                self._call(self._runner.cleanup())
        self._stop_loop()

    def _answer(self) -> None:
        self._answered = time.monotonic()

    async def _start(self, operations: Operations) -> int:
        app = App(Guard(self._config), operations, self._config.add)
        self._runner = web.AppRunner(
            app.application(), access_log=None, logger=_LOGGER, handle_signals=False, shutdown_timeout=END_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._config.host, self._config.port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._loop.close()
