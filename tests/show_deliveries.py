"""What becomes of 1000 events whose receiver misbehaves: `python -m tests.show_deliveries [NAME...]`, minutes."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from edgecvar.sinks.delivery import webhook
from edgecvar.sinks.delivery.opening import DeliveryOptions, open_deliveries
from edgecvar.sinks.delivery.waiting.courier import Backoff
from edgecvar.sinks.delivery.waiting.spool import Bounds
from tests.deliveries import Listener, Mosquitto, Receiver, event, free_port, soon, stalling
from tests.full_disk import no_room

EVENTS = 1000


class Told:
    """Deliveries of one URI, with how long each call of `event` took."""

    def __init__(self, folder: Path, uri: str, bounds: Optional[Bounds] = None) -> None:
        options = DeliveryOptions(folder / "spool", bounds or Bounds(), Backoff(0.05, 1.0))
        self.deliveries = open_deliveries([uri], options)
        self.seconds: List[float] = []

    @property
    def counts(self) -> Any:
        (counts,) = self.deliveries.counts.values()
        return counts

    def tell(self, sink: Any, pause: float) -> None:
        for number in range(EVENTS):
            each = event(number // 2, ended=bool(number % 2))
            begun = time.perf_counter()
            sink.event(each)
            self.seconds.append(time.perf_counter() - begun)
            time.sleep(pause)

    def say(self, name: str, bodies: List[bytes]) -> None:
        times, came = sorted(self.seconds), Counter(json.loads(body)["id"] for body in bodies)
        counts = self.counts
        print(f"{name}: {len(came)} of {EVENTS} arrived, {sum(came.values()) - len(came)} repetitions")
        print(f"  counted: {counts.line}; sum {counts.delivered + counts.refused + counts.dropped + counts.waiting}")
        at = [times[EVENTS // 2], times[EVENTS * 99 // 100], times[-1]]
        print(
            "  event() took {:.3f} ms (p50), {:.3f} ms (p99), {:.3f} ms at most".format(*(1000 * each for each in at))
        )


def broker(folder: Path, kill: bool = True) -> None:
    """Killed, or ended, and started again 10 times."""
    with Mosquitto(folder / "mosquitto") as server, Listener(server.port, "door/+/event", lasting=True) as listener:
        server.save()
        told = Told(folder, f"mqtt://127.0.0.1:{server.port}/door")
        with told.deliveries, told.deliveries.for_source("cam") as sink:
            thread = threading.Thread(target=told.tell, args=(sink, 0.03))
            thread.start()
            for _ in range(10):
                time.sleep(1.0)
                assert listener.subscribed.wait(20)
                time.sleep(0.3)  # what is on its way to the listener is the broker's to lose
                server.kill() if kill else server.stop()
                time.sleep(0.5)
                server.start()
            thread.join()
            soon(lambda: told.counts.waiting == 0, 60)
            time.sleep(2)
        told.say("a broker killed 10 times" if kill else "a broker ended 10 times", listener.of("/event"))


def half(folder: Path) -> None:
    """Answers 500, 503 or 429 half of the time."""
    chance = random.Random(3)
    with Receiver(lambda number: (chance.choice([200, 500, 503, 429, 200, 204]), {})) as receiver:
        told = Told(folder, receiver.url)
        with told.deliveries, told.deliveries.for_source("cam") as sink:
            told.tell(sink, 0.0)
            soon(lambda: told.counts.waiting == 0, 300)
    told.say("a receiver that fails half of the time", [body for _, _, body in receiver.requests])


def full(folder: Path) -> None:
    """A disk that is full while the receiver is away."""
    port = free_port()
    told = Told(folder, f"http://127.0.0.1:{port}/")
    with told.deliveries, told.deliveries.for_source("cam") as sink:
        with no_room(2000):
            told.tell(sink, 0.001)
            print(f"while the disk is full: {told.counts.line}")
        with Receiver(lambda number: (200, {}), port) as receiver:
            soon(lambda: told.counts.waiting == 0, 60)
    told.say("a full disk", [body for _, _, body in receiver.requests])


def stalls(folder: Path, scheme: str = "http") -> None:
    """Lets in, and never answers; room for 600 events."""
    webhook.TIMEOUT = 1.0
    with stalling() as (port, _):
        told = Told(folder, f"{scheme}://127.0.0.1:{port}/door", Bounds(records=600))
        with told.deliveries:
            with told.deliveries.for_source("cam") as sink:
                told.tell(sink, 0.005)
            begun = time.monotonic()
        told.say(f"a reader that stalls ({scheme}), left in {time.monotonic() - begun:.1f} s", [])
    if scheme == "http":
        again = Told(folder, f"http://127.0.0.1:{port}/door")
        with Receiver(lambda number: (200, {}), port) as receiver, again.deliveries:
            soon(lambda: again.counts.waiting == 0, 60)
        print(f"  the next run delivers {len(receiver.requests)}")


SHOWN: Dict[str, Callable[[Path], None]] = {
    "kill": broker,
    "end": lambda folder: broker(folder, kill=False),
    "half": half,
    "full": full,
    "webhook-stalls": stalls,
    "broker-stalls": lambda folder: stalls(folder, "mqtt"),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or SHOWN:
        with tempfile.TemporaryDirectory() as place:
            SHOWN[name](Path(place))
