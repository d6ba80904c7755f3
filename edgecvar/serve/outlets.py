"""The deliveries of a service: those that a reload leaves as they are go on."""

from __future__ import annotations

import time
from typing import Dict, List, Sequence

from edgecvar.sinks.delivery.delivery import Deliveries, Delivery
from edgecvar.sinks.delivery.opening import DeliveryOptions, open_delivery

LEAVING = 1.0
"""Seconds in which what is left, on a reload, may still deliver; what it cannot is kept."""


class Outlets:
    """Entered deliveries by URI."""

    def __init__(self, options: DeliveryOptions) -> None:
        self._options = options
        self._entered: Dict[str, Delivery] = {}
        self._uris: List[str] = []
        self.deliveries = Deliveries([])

    def open(self, uris: Sequence[str]) -> Deliveries:
        """Those of `uris`, the known ones as they are; the others stay open until `keep`. Raises ConfigError."""
        begun: List[str] = []
        try:
            for uri in uris:
                if uri not in self._entered:
                    delivery = open_delivery(uri, self._options, lambda: self.deliveries.counts)
                    delivery.__enter__()
                    self._entered[uri] = delivery
                    begun.append(uri)
        except BaseException:
            self._leave(begun, 0.0)
            raise
        if list(uris) != self._uris:
            self._uris = list(uris)
            self.deliveries = Deliveries([self._entered[uri] for uri in uris])
        return self.deliveries

    def keep(self, uris: Sequence[str]) -> None:
        """Leave the others, which nobody tells anything any more."""
        self._leave([uri for uri in self._entered if uri not in uris], LEAVING)

    def close(self, seconds: float) -> None:
        self._leave(list(self._entered), seconds)

    def _leave(self, uris: Sequence[str], seconds: float) -> None:
        leaving = [self._entered.pop(uri) for uri in uris]
        end = time.monotonic() + seconds
        for delivery in leaving:
            delivery.leave()
        for delivery in leaving:
            delivery.wait(max(0.0, end - time.monotonic()))
