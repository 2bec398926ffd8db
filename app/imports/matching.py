"""Which stored record a row speaks of: by its external id, its ID number or its door; in one statement for many rows.

Only what the person sees whole is looked at, so that nobody learns from an import who lives where they see nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as Some
from functools import cache
from itertools import chain
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.database import Transaction
from app.fields import MERGED_INTO
from app.imports.places import Places
from app.imports.planning import Plan
from app.imports.rows import AREAS, HOUSEHOLDS, NUMBERS, RESIDENTS, Row
from app.imports.values import Unreadable, door_alike, name_alike
from app.prepared import Each, among
from app.tables import History
from sync.wire import Fields

_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_SINGLE = {HOUSEHOLDS: ("external_id",), RESIDENTS: NUMBERS, AREAS: ("code",)}
"""Fields of which one value is one record's, the surest first."""
_TELLING = {"birth_date", *(name for names in _SINGLE.values() for name in names)}


class Known:
    """Records of one collection that rows may speak of: stored ones, and those that earlier rows create."""

    def __init__(self, name: str, importer: UUID | None) -> None:
        self.collection, self._importer = COLLECTIONS[name], importer
        self.plans: dict[UUID, Plan] = {}
        self._aliases: dict[UUID, UUID] = {}
        self._by: dict[tuple[str, JsonValue], list[Plan]] = defaultdict(list)
        self._in: dict[JsonValue, list[Plan]] = defaultdict(list)
        self._gone: dict[tuple[str, JsonValue], UUID] = {}
        """Records that are no more, by what was theirs alone."""
        self._gone_in: dict[JsonValue, list[Plan]] = defaultdict(list)
        """These, by where they were: a list that is older than the deletion knows no more of them."""

    def add(self, plan: Plan) -> Plan:
        """From now on rows find it."""
        if plan.id in self.plans:
            return plan
        self.plans[plan.id] = plan
        for name in _SINGLE[self.collection.name]:
            if value := plan.now.get(name):
                self._by[name, value].append(plan)
        self._in[self._place_of(plan)].append(plan)
        return plan

    def _place_of(self, plan: Plan) -> JsonValue:
        if self.collection.name == HOUSEHOLDS:
            return door_alike(plan.now.get("door"))
        return plan.now.get(self.collection.lists_in)

    def take(self, row: Any) -> None:
        """A stored row. One that was merged leads to the one that stayed."""
        if row.id in self.plans or row.id in self._aliases:
            return
        fields = self.collection.as_fields(row._mapping)
        plan = Plan(self.collection, row.id, fields, row.rev, row.field_revs, row.deleted_at is not None)
        plan.own = row.created_by == self._importer
        if not plan.deleted:
            self.add(plan)
            return
        self._gone.update({(name, fields.get(name)): row.id for name in _SINGLE[self.collection.name]})
        self._gone_in[self._place_of(plan)].append(plan)
        if into := row._mapping.get(MERGED_INTO):
            self._aliases[row.id] = into
        else:
            self.plans[plan.id] = plan

    def single(self, said: Fields) -> Plan | None:
        """By what is one record's alone. Raises Unreadable where several have it."""
        for name in _SINGLE[self.collection.name]:
            value = said.get(name)
            if value and (found := self._by.get((name, value))):
                return _only(found)
        return None

    def gone(self, said: Fields, key: JsonValue, is_alike: Callable[[Plan], bool]) -> Plan | None:
        """One that was deleted, or the one into which it was merged: by what was its alone, or as it was there."""
        keys = ((name, said.get(name)) for name in _SINGLE[self.collection.name] if said.get(name))
        alone = (self._gone[key] for key in keys if key in self._gone)
        there = (plan.id for plan in self._gone_in.get(key, ()) if _agree(plan, said) and is_alike(plan))
        return next((plan for id in chain(alone, there) if (plan := self.with_id(id))), None)

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
    place = places.by_id[row.area or places.top]
    if not place.recorded:
        # Every house of a community has a 101.
        raise Unreadable("area_unknown")
    door = door_alike(said["door"])

    def is_here(plan: Plan) -> bool:
        return _path(places, plan).startswith(place.path)

    here = [plan for plan in known.within(door) if is_here(plan)]
    exact = [plan for plan in here if plan.now["door"] == said["door"]]
    return _only(exact or here) if here else known.with_id(id) or known.gone(said, door, is_here)


def find_resident(known: Known, row: Row, household: UUID, id: UUID) -> Plan | None:
    """By their external id or ID number, else by name and birth date behind the door."""
    said = row.said[RESIDENTS]
    name = name_alike(said["name"])
    if plan := known.single(said):
        if name_alike(plan.now.get("name")) != name and not _is_of(plan, said, household):
            # Another's number, it seems: a running one perhaps, or a slip of the hand.
            raise Unreadable("match_ambiguous")
        return plan

    def is_called_so(plan: Plan) -> bool:
        return name_alike(plan.now.get("name")) == name

    there = [plan for plan in known.within(str(household)) if is_called_so(plan)]
    alike = [plan for plan in there if _agree(plan, said, "id_number", "birth_date")]
    born = said.get("birth_date")
    surest = [plan for plan in alike if born and plan.now.get("birth_date") == born]
    if alike:
        return _only(surest or alike)
    return known.with_id(id) or known.gone(said, str(household), is_called_so)


def _is_of(plan: Plan, said: Fields, household: UUID) -> bool:
    """With the same door, ID number and birth date, where both tell them?"""
    return plan.now.get("household_id") == str(household) and _agree(plan, said, "id_number", "birth_date")


def find_area(known: Known, row: Row, id: UUID) -> Plan | None:
    """By its code, else by its name beside its siblings."""
    said = row.said[AREAS]
    if plan := known.single(said):
        return plan

    def is_called_so(plan: Plan) -> bool:
        return plan.now.get("name") == said["name"]

    there = [plan for plan in known.within(str(row.area)) if is_called_so(plan)]
    return _only(there) if there else known.with_id(id) or known.gone(said, str(row.area), is_called_so)


def _agree(plan: Plan, said: Fields, *names: str) -> bool:
    """In these fields, or in all that tell one from another, where both tell them?"""
    pairs = ((plan.now.get(name), said.get(name)) for name in names or _TELLING)
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _path(places: Places, plan: Plan) -> str:
    place = places.by_id.get(UUID(str(plan.now["area_id"])))
    return place.path if place else ""


def _only(found: Sequence[Plan]) -> Plan:
    if len(found) != 1:
        raise Unreadable("match_ambiguous")
    return found[0]


@cache
def _with(name: str, field: str) -> sa.Select[Any]:
    """Records of a home that have, or had when they were deleted, one of these values, in these areas."""
    table = COLLECTIONS[name].table
    where = [table.c.home == sa.bindparam("home"), among(table.c[field], "values"), among(table.c.area_id, "areas")]
    return sa.select(table).where(*where)


async def read_known(
    transaction: Transaction, known: Known, home: UUID, areas: Sequence[UUID], field: str, values: Iterable[Any]
) -> None:
    """Records of these areas that have one of the values; what was merged leads to what stayed."""
    wanted = [*{value for value in values if value is not None}]
    if wanted and areas:
        statement = _with(known.collection.name, field)
        rows = await transaction.fetch(statement, home=home, areas=areas, values=wanted)
        for row in rows:
            known.take(row)
        await read_by_id(transaction, known, home, areas, {into for row in rows if (into := row._mapping[MERGED_INTO])})


async def read_gone_areas(transaction: Transaction, known: Known, home: UUID, rows: Sequence[Row]) -> None:
    """Those that were deleted, by the codes and the parents that these rows name."""
    areas = known.collection.table
    codes = {code for row in rows if (code := row.said[AREAS].get("code"))}
    alike = sa.or_(
        among(areas.c.parent_id, "parents", [*{row.area for row in rows}]), among(areas.c.code, "codes", [*codes])
    )
    for row in await transaction.rows(
        sa.select(areas).where(areas.c.home == home, areas.c.deleted_at.is_not(None), alike)
    ):
        known.take(row)


@cache
def _by_id(name: str) -> Each:
    table = COLLECTIONS[name].table
    return Each(sa.select(table), home=table.c.home, ids=table.c.id)


async def read_by_id(
    transaction: Transaction, known: Known, home: UUID, areas: Some[UUID] | None, ids: Some[UUID]
) -> None:
    """What earlier imports made in these areas, whatever became of it; of what was merged, also what stayed."""
    wanted = {*ids} - known.plans.keys()
    while wanted:
        rows = await transaction.fetch_each(_by_id(known.collection.name), home=home, ids=[*wanted])
        rows = [row for row in rows if areas is None or row.area_id in areas]
        for row in rows:
            known.take(row)
        wanted = {into for row in rows if (into := row._mapping.get(MERGED_INTO))} - known.plans.keys()


@cache
def _changes(name: str, field: str) -> Each:
    fields, was = (sa.type_coerce(column, sa.JSON)[field] for column in (_HISTORY.c.fields, _HISTORY.c.was))
    chosen = sa.select(_HISTORY.c.record_id, fields.label("became"), was.label("was"))
    chosen = chosen.where(_HISTORY.c.collection == name, _HISTORY.c.rev > 1)
    return Each(chosen, home=_HISTORY.c.home, ids=_HISTORY.c.record_id)


async def read_removed(transaction: Transaction, known: Known, home: UUID) -> None:
    """What people took out of the sets of these records: no file puts it back."""
    for name in [spec.name for spec in known.collection.fields.values() if spec.policy.name == "union"]:
        changed = {id: plan for id, plan in known.plans.items() if name in plan.field_revs}
        removed: dict[UUID, set[str]] = defaultdict(set)
        if changed:
            statement = _changes(known.collection.name, name)
            for row in await transaction.fetch_each(statement, home=home, ids=[*changed]):
                removed[row.record_id] |= {*(row.was or ())} - {*(row.became or ())}
        for id, members in removed.items():
            changed[id].removed = {**changed[id].removed, name: frozenset(members)}


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
