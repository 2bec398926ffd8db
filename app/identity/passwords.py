"""Passwords as Argon2id hashes, made and checked in threads of their own.

A few at a time: each holds 19 MiB, and a crowd of guesses must not take the server's memory.
"""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from pwdlib.hashers.argon2 import Argon2Hasher

from app.problems import Problem

SHORTEST = 8
LONGEST = 256
AT_ONCE, MOST_WAITING = 4, 64

T = TypeVar("T")
_HASHER = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""As OWASP's Password Storage Cheat Sheet asks at least; memory in KiB."""
_turns: RunVar[CapacityLimiter] = RunVar("_turns")


async def hash_password(password: str, salt: bytes) -> str:
    """What to store. `salt` is 16 random bytes."""
    return await _in_thread(lambda: _HASHER.hash(_bytes_of(password), salt=salt))


async def is_password(password: str, held: str | None) -> bool:
    """Is it the one behind the hash? Without a hash (nobody has that login) it takes as long to say no."""
    matches = await _in_thread(lambda: _HASHER.verify(_bytes_of(password), held or nobodys_hash()))
    return matches and held is not None


@cache
def nobodys_hash() -> str:
    """What an unknown login's password is compared with."""
    return _HASHER.hash(b"", salt=bytes(16))


def _bytes_of(password: str) -> bytes:
    """The same bytes from every keyboard: full-width letters are letters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


async def _in_thread(work: Callable[[], T]) -> T:
    limiter = _turns.get(None)
    if limiter is None:
        limiter = CapacityLimiter(AT_ONCE)
        _turns.set(limiter)
    if limiter.statistics().tasks_waiting >= MOST_WAITING:
        raise Problem("overloaded")
    return await to_thread.run_sync(work, limiter=limiter)
