"""The virtual clock: it stands still while anything is done, and then jumps to the next event."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sync.seams import Seams, seeded, uuid7

BEGINNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Timeline:
    """Events in order of their time; those of one time in the order in which they were set."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._set = 0

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """It happens that much later."""
        self._set += 1
        heapq.heappush(self._events, (self.seconds + seconds, self._set, event))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._events:
            at, _, event = heapq.heappop(self._events)
            self.seconds = max(self.seconds, at)
            event()

    def pass_by(self, seconds: float) -> None:
        """Time goes on by itself; what was set to happen meanwhile happens late."""
        self.seconds += seconds


class Clock:
    """One party's clock: the timeline's time, and how wrong it is."""

    def __init__(self, timeline: Timeline, offset: timedelta) -> None:
        self._timeline = timeline
        self.offsets = [offset]
        """How wrong it has been, one after the other."""

    @property
    def offset(self) -> timedelta:
        """How wrong it is now."""
        return self.offsets[-1]

    @offset.setter
    def offset(self, offset: timedelta) -> None:
        self.offsets.append(offset)

    def now(self) -> datetime:
        """What it shows."""
        return BEGINNING + timedelta(seconds=self._timeline.seconds) + self.offset

    def seams(self, seed: str) -> Seams:
        """A world with this clock, and with ids and randomness of its own."""
        dice = seeded(seed)

        def new_id() -> UUID:
            return uuid7(max(0, int(self.now().timestamp() * 1000)), dice.getrandbits(74))

        return Seams(
            now=self.now,
            monotonic=lambda: self._timeline.seconds,
            new_id=new_id,
            random_bytes=dice.randbytes,
            uniform=dice.uniform,
            sleep=_no_sleep,
        )


async def _no_sleep(seconds: float) -> None:
    """Repetitions inside the server take no time: nothing else could happen meanwhile."""
    await asyncio.sleep(0)
