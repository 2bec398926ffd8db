"""Which stored record a row speaks of: by its external id, its ID number or its door; in one statement for many rows.

Only what the person sees whole is looked at, so that nobody learns from an import who lives where they see nothing.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Collection as Some
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.database import Transaction
from app.fields import MERGED_INTO
from app.imports.places import Places
from app.imports.planning import Plan
from app.imports.rows import AREAS, HOUSEHOLDS, RESIDENTS, Row
from app.imports.values import Unreadable
from app.prepared import among
from sync.wire import Fields

_SINGLE = {HOUSEHOLDS: ("external_id",), RESIDENTS: ("external_id", "id_number"), AREAS: ("code",)}
"""Fields of which one value is one record's, the surest first."""


class Known:
    """Records of one collection that rows may speak of: stored ones, and those that earlier rows create."""

    def __init__(self, name: str) -> None:
        self.collection = COLLECTIONS[name]
        self.plans: dict[UUID, Plan] = {}
        self._aliases: dict[UUID, UUID] = {}
        self._by: dict[tuple[str, JsonValue], list[Plan]] = defaultdict(list)
        self._in: dict[JsonValue, list[Plan]] = defaultdict(list)

    def add(self, plan: Plan) -> Plan:
        """From now on rows find it."""
        if plan.id in self.plans:
            return plan
        self.plans[plan.id] = plan
        for name in _SINGLE[self.collection.name]:
            if value := plan.now.get(name):
                self._by[name, value].append(plan)
        key = "door" if self.collection.name == HOUSEHOLDS else self.collection.lists_in
        self._in[plan.now.get(key)].append(plan)
        return plan

    def take(self, row: Any) -> None:
        """A stored row. One that was merged leads to the one that stayed."""
        fields = self.collection.as_fields(row._mapping)
        if into := row._mapping.get(MERGED_INTO):
            self._aliases[row.id] = into
        elif row.id not in self.plans:
            plan = Plan(self.collection, row.id, fields, row.rev, row.field_revs, row.deleted_at is not None)
            if plan.deleted:
                self.plans[plan.id] = plan
            else:
                self.add(plan)

    def single(self, said: Fields) -> Plan | None:
        """By what is one record's alone. Raises Unreadable where several have it."""
        for name in _SINGLE[self.collection.name]:
            value = said.get(name)
            if value and (found := self._by.get((name, value))):
                return _only(found)
        return None

    def within(self, key: JsonValue) -> Sequence[Plan]:
        """With this door, behind this door, or in this area."""
        return self._in.get(key, ())

    def with_id(self, id: UUID) -> Plan | None:
        """Whatever became of it."""
        return self.plans.get(self._aliases.get(id, id))


def find_household(known: Known, places: Places, row: Row, id: UUID) -> Plan | None:
    """By its external id, else by its door in the row's area or one within; else the one that such a row made."""
    said = row.said[HOUSEHOLDS]
    if plan := known.single(said):
        return plan
    path = places.by_id[row.area].path if row.area else ""
    here = [plan for plan in known.within(said.get("door")) if _path(places, plan).startswith(path)]
    return _only(here) if here else known.with_id(id)


def find_resident(known: Known, row: Row, household: UUID, id: UUID) -> Plan | None:
    """By their external id or ID number, else by name and birth date behind the door."""
    said = row.said[RESIDENTS]
    if plan := known.single(said):
        return plan
    there = [plan for plan in known.within(str(household)) if plan.now.get("name") == said["name"]]
    alike = [plan for plan in there if all(_agree(plan, said, name) for name in ("id_number", "birth_date"))]
    born = said.get("birth_date")
    surest = [plan for plan in alike if born and plan.now.get("birth_date") == born]
    return _only(surest or alike) if alike else known.with_id(id)


def find_area(known: Known, row: Row, id: UUID) -> Plan | None:
    """By its code, else by its name beside its siblings."""
    said = row.said[AREAS]
    if plan := known.single(said):
        return plan
    there = [plan for plan in known.within(str(row.area)) if plan.now.get("name") == said["name"]]
    return _only(there) if there else known.with_id(id)


def _agree(plan: Plan, said: Fields, name: str) -> bool:
    return None in (plan.now.get(name), said.get(name)) or plan.now[name] == said[name]


def _path(places: Places, plan: Plan) -> str:
    place = places.by_id.get(UUID(str(plan.now["area_id"])))
    return place.path if place else ""


def _only(found: Sequence[Plan]) -> Plan:
    if len(found) != 1:
        raise Unreadable("match_ambiguous")
    return found[0]


@lru_cache(maxsize=4096)
def new_id(key: bytes, *parts: JsonValue) -> UUID:
    """The same for the same words. Keyed, since from the id of a person nobody may guess their ID number."""
    said = "\x1f".join(str(part) for part in parts)
    return UUID(bytes=hmac.digest(key, said.encode(), hashlib.sha256)[:16], version=4)


@cache
def _living(name: str, field: str) -> sa.Select[Any]:
    """Records of a home that have one of these values, in these areas."""
    table = COLLECTIONS[name].table
    where = (table.c.home == sa.bindparam("home"), table.c.deleted_at.is_(None), among(table.c[field], "values"))
    return sa.select(table).where(*where, among(table.c.area_id, "areas"))


async def read_known(
    transaction: Transaction, known: Known, home: UUID, areas: Sequence[UUID], field: str, values: Iterable[Any]
) -> None:
    """Living records of these areas that have one of the values."""
    wanted = [*{value for value in values if value is not None}]
    if wanted and areas:
        statement = _living(known.collection.name, field)
        for row in await transaction.fetch(statement, home=home, areas=areas, values=wanted):
            known.take(row)


@cache
def _by_id(name: str) -> sa.Select[Any]:
    table = COLLECTIONS[name].table
    return sa.select(table).where(table.c.home == sa.bindparam("home"), among(table.c.id, "ids"))


async def read_by_id(
    transaction: Transaction, known: Known, home: UUID, areas: Some[UUID] | None, ids: Some[UUID]
) -> None:
    """What earlier imports made in these areas, whatever became of it; of what was merged, also what stayed."""
    wanted = {*ids} - known.plans.keys()
    while wanted:
        rows = await transaction.fetch(_by_id(known.collection.name), home=home, ids=[*wanted])
        rows = [row for row in rows if areas is None or row.area_id in areas]
        for row in rows:
            known.take(row)
        wanted = {into for row in rows if (into := row._mapping.get(MERGED_INTO))} - known.plans.keys()


async def asked_before(
    transaction: Transaction, home: UUID, plans: Iterable[Plan]
) -> Mapping[tuple[UUID, str], Sequence[Any]]:
    """(record, field) → its conflicts, of those that the file would contest."""
    table = COLLECTIONS["conflicts"].table
    ids = {plan.id for plan in plans if plan.contested and plan.held is not None}
    found: dict[tuple[UUID, str], list[Any]] = defaultdict(list)
    if ids:
        columns = (table.c.id, table.c.of_record, table.c.field, table.c.candidates, table.c.state)
        of_them = sa.select(*columns).where(table.c.home == home, table.c.of_record.in_(ids))
        for row in await transaction.rows(of_them.where(table.c.deleted_at.is_(None)).order_by(table.c.id)):
            found[row.of_record, row.field].append(row)
    return found
