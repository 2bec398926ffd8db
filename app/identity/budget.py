"""How many requests a minute a sign-in has, which is one phone; the answers say what is left of them.

The headers are those of the IETF's draft `ratelimit-headers`. Each worker counts by itself.
"""

from math import ceil
from uuid import UUID

from fastapi import Request

from app.context import Context
from app.headers import say
from app.problems import Problem
from app.windows import Window

WINDOW_SECONDS = 60


class Budget(Window):
    """A moving minute for each sign-in."""

    def __init__(self, most: int) -> None:
        super().__init__(most, WINDOW_SECONDS)
        self.policy = b"ratelimit-policy", b'"phone";q=%d;w=%d' % (most, WINDOW_SECONDS)


def spend_request(request: Request, sign_in_id: UUID) -> None:
    """One request, known to be this sign-in's; too_many_requests when there is none left."""
    budget: Budget = request.app.state.budget
    context: Context = request.app.state.context
    key, now = sign_in_id.bytes, context.seams.monotonic()
    wait = ceil(budget.seconds_until_free(key, now))
    left, seconds = (0, wait) if wait else budget.add(key, now)
    say(request.scope, budget.policy, (b"ratelimit", b'"phone";r=%d;t=%d' % (left, ceil(seconds))))
    if wait:
        raise Problem("too_many_requests", retry_after=wait)
