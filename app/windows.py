"""How often something may happen for one key: exactly so many times within so many seconds, in this process.

Kept in memory, a time a happening, and forgotten when it has passed. (The library `limits` was measured:
its clock can't be given, and each hit starts a walk over every key, 0.5 ms at 5,000 phones.)
"""

from collections import OrderedDict, deque

MOST_KEYS = 100_000
"""Beyond, what happened longest ago is forgotten first: nobody fills the memory with invented keys."""


class Window:
    """A moving window for each key. `now` is of a clock that never steps."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._times: OrderedDict[bytes, deque[float]] = OrderedDict()

    def seconds_until_free(self, key: bytes, now: float) -> float:
        """0 when it may happen now."""
        times = self._since(key, now)
        return times[0] + self.seconds - now if len(times) >= self.most else 0.0

    def add(self, key: bytes, now: float) -> tuple[int, float]:
        """It happens: how many times more it may, and for how many seconds that is so at least."""
        times = self._since(key, now)
        times.append(now)
        self._times[key] = times
        self._times.move_to_end(key)
        self._forget_idle(now)
        return self.most - len(times), times[0] + self.seconds - now

    def take_back(self, key: bytes) -> None:
        """The last time didn't count after all."""
        if times := self._times.get(key):
            times.pop()

    def forget(self, key: bytes) -> None:
        """As if it had never happened."""
        self._times.pop(key, None)

    def _since(self, key: bytes, now: float) -> deque[float]:
        times = self._times.get(key) or deque()
        while times and times[0] + self.seconds <= now:
            times.popleft()
        return times

    def _forget_idle(self, now: float) -> None:
        """Two for each that is added, so that it never takes long and yet gets ahead."""
        for _ in range(2):
            key, times = next(iter(self._times.items()))
            if len(self._times) <= MOST_KEYS and times and times[-1] + self.seconds > now:
                return
            del self._times[key]
