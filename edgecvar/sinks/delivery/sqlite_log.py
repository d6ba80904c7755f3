"""Events, changes of label, runs: a log in an SQLite database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.database import Database, Limits, Unwritten
from edgecvar.sinks.delivery.delivery import SourceRun
from edgecvar.sinks.delivery.messages import event_message, now
from edgecvar.sinks.delivery.waiting.counts import Tally
from edgecvar.sinks.delivery.waiting.courier import DELIVERED, Backoff, ByCourier, Courier, Outcome
from edgecvar.sinks.delivery.waiting.journal import Numbered
from edgecvar.sinks.delivery.waiting.spool import Spool
from edgecvar.sinks.json_lines import summary_document
from edgecvar.sinks.sink import Sink
from edgecvar.terminal import json_line, printable


class SqliteLog(ByCourier):
    """A Delivery into one file. A database that is locked or full ends no run: what waits for it is kept."""

    events_only = False

    def __init__(self, path: Path, limits: Limits, spool: Spool, backoff: Backoff) -> None:
        self.name = f"sqlite:{printable(str(path))}"
        self._database = Database(path, limits)
        super().__init__(Courier(_Rows(self._database), spool, Tally(), backoff))

    def __enter__(self) -> SqliteLog:
        self._database.check()
        return super().__enter__()

    def sink(self, run: SourceRun) -> Sink:
        return _Log(run, self._courier)


class _Log:
    """One source's rows."""

    def __init__(self, run: SourceRun, courier: Courier) -> None:
        self._run, self._courier = run, courier
        self._source = printable(run.name)
        self._label: Optional[str] = None
        self._begun = now()

    def __enter__(self) -> _Log:
        self._put("runs", id=self._run.id, source=self._source, begun_at=self._begun)
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def decision(self, decision: Decision) -> None:
        if decision.label == self._label and not decision.opens:
            return
        self._label = decision.label
        self._put(
            "decisions",
            run=self._run.id,
            source=self._source,
            pts_seconds=decision.pts_seconds,
            display_index=decision.display_index,
            label=printable(decision.label),
            probability=decision.probability,
            opens=printable(decision.opens),
            told_at=now(),
        )

    def event(self, event: Event) -> None:
        message = event_message(self._run, event)
        row = {name: value for name, value in message.items() if name not in ("id", "event", "event_type")}
        self._put("events", id=message["event"], run=self._run.id, **row)

    def finish(self, summary: RunSummary) -> None:
        counts = {name: getattr(summary, name) for name in ("pictures", "sampled", "decisions", "skipped", "damaged")}
        document, breaks = json_line(summary_document(summary)), sum(summary.breaks.values())
        times = {"begun_at": self._begun, "ended_at": now(), "breaks": breaks, "summary": document}
        self._put("runs", id=self._run.id, source=self._source, **counts, **times)

    def _put(self, table: str, **row: Any) -> None:
        self._courier.put(json_line({"table": table, "row": row}))


class _Rows:
    """A Carrier: one row a record, put in again where it was there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliver(self, record: Numbered) -> Outcome:
        document: Dict[str, Any] = json.loads(record[1])
        try:
            self._database.put(document["table"], document["row"])
        except Unwritten as error:
            return Outcome(over=False, trouble=str(error))
        return DELIVERED

    def tick(self) -> None:
        self._database.prune_in_time()

    def abort(self) -> None:
        self._database.interrupt()

    def close(self) -> None:
        self._database.close()
