"""Guessing passwords: five wrong ones in a quarter of an hour from one address, twenty a day for one login.

Only the password is locked. A phone that is signed in goes on with its tokens, whatever others guess.
Each worker counts by itself.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from math import ceil

from fastapi import Request

from app.context import Context
from app.problems import Problem
from app.windows import Window


class Guesses:
    """Wrong passwords of late, by keys that tell nobody whose they are."""

    def __init__(self) -> None:
        self.from_one_address = Window(5, 15 * 60)
        self.of_one_day = Window(20, 24 * 60 * 60)


@contextmanager
def guess_of(request: Request, login: str) -> Iterator[None]:
    """Counts what happens inside as a guess, unless it turns out right or there was no answer.

    Raises too_many_guesses before anything is looked up: a right password is then not told from a wrong one.
    """
    guesses: Guesses = request.app.state.guesses
    context: Context = request.app.state.context
    now = context.seams.monotonic()
    address = request.client.host if request.client else ""
    near, day = _key(context, login, address), _key(context, login)
    waits = [guesses.from_one_address.seconds_until_free(near, now), guesses.of_one_day.seconds_until_free(day, now)]
    if any(waits):
        raise Problem("too_many_guesses", retry_after=ceil(max(waits)))
    # Counted before it is tried: a hundred at once are a hundred guesses.
    guesses.from_one_address.add(near, now)
    guesses.of_one_day.add(day, now)
    try:
        yield
    except Exception as error:
        if not (isinstance(error, Problem) and error.code == "wrong_credentials"):
            guesses.from_one_address.take_back(near)
            guesses.of_one_day.take_back(day)
        raise
    guesses.from_one_address.forget(near)
    guesses.of_one_day.take_back(day)


def _key(context: Context, *parts: str) -> bytes:
    said = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.digest(context.subkey("guesses"), said, sha256)
