"""The only place that touches clock, ids, randomness and sleep.

Everything a simulator must own comes from here, injected as one `Seams` value; a test bans the
standard modules anywhere else in `sync/` and `app/`.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Seams:
    """What the outside world gives: replace any of it and the same code runs in a simulation."""

    now: Callable[[], datetime]
    """The wall clock, in UTC."""
    monotonic: Callable[[], float]
    """Seconds of a clock that never steps."""
    new_id: Callable[[], UUID]
    """A fresh id, version 7."""
    random_bytes: Callable[[int], bytes]
    """That many unguessable bytes."""
    uniform: Callable[[float, float], float]
    """A number between the two, for jitter."""
    sleep: Callable[[float], Awaitable[None]]
    """Waits that many seconds."""
    timeout: Callable[[float], AbstractAsyncContextManager[Any]] = asyncio.timeout
    """Ends what is awaited inside, with TimeoutError, once it has taken that many seconds."""


def uuid7(milliseconds: int, random_bits: int) -> UUID:
    """A version 7 UUID (RFC 9562 §5.7) of a Unix time in milliseconds and 74 random bits."""
    high, low = random_bits >> 62, random_bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (7 << 76) | ((high & 0xFFF) << 64) | (2 << 62) | low)


def real() -> Seams:
    """The world as it is."""
    return Seams(
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        new_id=lambda: uuid7(time.time_ns() // 1_000_000, secrets.randbits(74)),
        random_bytes=secrets.token_bytes,
        uniform=random.SystemRandom().uniform,
        sleep=asyncio.sleep,
    )


def seeded(seed: int | str) -> random.Random:
    """Repeatable randomness, for invented people and for simulations; never for secrets."""
    return random.Random(seed)
