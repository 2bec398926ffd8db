"""Interleaved land in the simulator: who has a role next door sees, for a while, what lies there on paper."""

from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from app.enclaves import add_enclave, end_enclave
from app.problems import Problem
from tests.simulation.place import BOSS

if TYPE_CHECKING:
    from tests.simulation.server import Server

ON_PAPER = "next_door"
SERVED = ("building_1", "building_2", "building_3", "grid_1", "grid_2")
EXPECTED = {"enclave_overlaps", "not_permitted", "not_found"}
"""One at a time; and its clock may have been put back to before the administrator's grant."""


class Enclave(NamedTuple):
    """As the simulator remembers it."""

    id: UUID
    area: str
    since: datetime
    until: datetime | None

    def lasts(self, now: datetime) -> bool:
        """Is it in force?"""
        return self.since <= now and (self.until is None or now < self.until)


def interleave(server: "Server", login: str, dice: Random) -> None:
    """Somebody gets a role next door, or an area comes to lie there on paper, or one of those ends."""
    what = dice.choice(("grant", "make", "make", "end"))
    if what == "grant":
        server.grant(login, ON_PAPER, dice.choice((None, timedelta(seconds=60))))
    elif what == "make":
        _make(server, dice.choice(SERVED), dice.choice((None, None, timedelta(seconds=5), timedelta(days=1))))
    elif server.enclaves:
        _end(server, dice.choice(server.enclaves))


def _make(server: "Server", area: str, lasts: timedelta | None) -> None:
    now, areas = server.clock.now(), server.place.areas
    until = now + lasts if lasts else None

    async def make() -> UUID:
        async with server.context.database.transaction() as transaction:
            there = {"area_id": areas[area], "administrative_id": areas[ON_PAPER]}
            dates = {"since": now, "until": until, "reason": None}
            boss = server.place.people[BOSS]
            return UUID(str((await add_enclave(transaction, server.context, boss, **there, **dates)).id))

    try:
        server.enclaves.append(Enclave(server.run(make()), area, now, until))
        server.handovers += 1
    except Problem as problem:
        if problem.code not in EXPECTED:
            raise


def _end(server: "Server", enclave: Enclave) -> None:
    async def end() -> None:
        async with server.context.database.transaction() as transaction:
            await end_enclave(transaction, server.context, server.place.people[BOSS], enclave.id)

    try:
        server.run(end())
    except Problem as problem:
        if problem.code not in EXPECTED:
            raise
        return
    now = server.clock.now()
    if enclave.until is None or enclave.until > now:
        server.enclaves[server.enclaves.index(enclave)] = enclave._replace(until=now)
