"""What every request needs: the store, the seams and the server's key."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.database import Database, SeenBy
from sync.days import DAY_BEGINS
from sync.seams import Seams


@dataclass(frozen=True)
class Context:
    """One server process. `key` signs tokens and cursors; each use has a key of its own."""

    database: Database
    seams: Seams
    key: bytes
    server_id: UUID
    day_begins: int = DAY_BEGINS
    """At which hour a day of work begins."""

    def seen_by(self, person: UUID) -> SeenBy:
        """Whoever something is read for, now."""
        return SeenBy(person, self.seams.now())

    def subkey(self, purpose: str) -> bytes:
        """32 bytes for one purpose, so that no signature means anything elsewhere."""
        return hmac.digest(self.key, purpose.encode(), hashlib.sha256)


def context_of(request: Request) -> Context:
    """The context that `main.create_app` or its lifespan put on the application.

    What phones ask all day calls it: resolving a dependency takes longer than an empty pull's own work.
    """
    context: Context = request.app.state.context
    return context


async def _context_of(request: Request) -> Context:
    """Async although it awaits nothing: what isn't is sent to another thread and back, on every request."""
    return context_of(request)


ContextDep = Annotated[Context, Depends(_context_of)]
