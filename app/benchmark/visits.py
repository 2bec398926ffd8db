"""Invented knocks at doors: the same visit as a phone pushes it and as the table of visits holds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.collections import COLLECTIONS
from app.demo.code_lists import LISTS
from app.demo.sentences import THEMES, note
from app.fields import as_wire
from sync.days import DAY_BEGINS, day_of
from sync.seams import Seams, seeded
from sync.wire import Fields, Mutation, PushBody

VISITS = COLLECTIONS["visits"]
OUTCOMES = ("opened",) * 6 + ("nobody_home",) * 3 + ("refused",)
NOTES = 20_000
"""Distinct ones, nearly all: how well a page compresses depends on it."""


@dataclass(frozen=True)
class Visit:
    """One create. `fields` are what a phone sends, complete but for what the server gives."""

    id: UUID
    mutation: UUID
    fields: Fields
    made_at: datetime

    @property
    def kept(self) -> Fields:
        """The fields as the server keeps them, so that a row can be made of them."""
        return {**self.fields, "day": str(day_of(datetime.fromisoformat(str(self.fields["visited_at"])), DAY_BEGINS))}


class Knocks:
    """An endless worker: visits of households, one seed always the same but for their ids."""

    def __init__(self, world: Seams, seed: int | str) -> None:
        self._world, self._dice = world, seeded(seed)
        self._methods = [code for code, _, _ in LISTS["method"]]
        self._needs = [code for code, _, _ in LISTS["need"]]
        self._notes = [note(self._dice, tuple(THEMES), longest=4) for _ in range(NOTES)]
        self._residents = [str(world.new_id()) for _ in range(1000)]

    def visits(self, count: int, households: Sequence[str]) -> list[Visit]:
        """That many, each of one of these households."""
        return [self._visit(self._dice.choice(households)) for _ in range(count)]

    def _visit(self, household: str) -> Visit:
        dice, now = self._dice, self._world.now()
        outcome = dice.choice(OUTCOMES)
        met = dice.sample(self._residents, dice.randrange(1, 3)) if outcome == "opened" else []
        fields: Fields = {
            "household_id": household,
            "visited_at": as_wire(now - timedelta(seconds=dice.randrange(40_000))),
            "channel": "door",
            "method": dice.choice(self._methods),
            "outcome": outcome,
            "persons_met": [*sorted(met)],
            "campaign_id": None,
            "needs": [*sorted(dice.sample(self._needs, dice.randrange(3)))],
            "note": dice.choice(self._notes),
        }
        return Visit(self._world.new_id(), self._world.new_id(), fields, now)


def as_push(home: UUID, visits: Sequence[Visit]) -> PushBody:
    """The push a phone would send of them."""
    mutations = [
        Mutation(
            id=v.mutation, collection="visits", record=v.id, op="create", base=0, fields=v.fields, made_at=v.made_at
        )
        for v in visits
    ]
    return PushBody(protocol=1, home=home, sent_at=visits[-1].made_at, received=0, mutations=mutations)


def as_row(visit: Visit, home: UUID, area: UUID, person: UUID, now: datetime) -> dict[str, Any]:
    """What the table of visits holds once it is pushed."""
    return {
        "area_id": area,
        **VISITS.as_columns(visit.kept),
        "home": home,
        "id": visit.id,
        "rev": 1,
        "field_revs": {},
        "deleted_at": None,
        "created_at": now,
        "created_by": person,
        "updated_at": now,
        "updated_by": person,
    }
