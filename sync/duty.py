"""The duty list 每日工作清单 of a day: which doors are due, in which order, and who of the group takes which.

One pure function for phone and server: the same records give the same list. What is due follows from care plans and
from the visits that were made, so that nothing is ticked off twice, and what wasn't done yesterday is there today.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic import JsonValue

from sync.calendar import Calendar, Records, calendar_of
from sync.days import DAY_BEGINS, day_of, shifted
from sync.walk import Walk, whole_number
from sync.wire import Fields

NEEDED = ("areas", "care_plans", "codes", "households", "members", "visits")
"""Of these the list is made."""
LOOK_BACK = 184
"""Days: contacts longer ago count for nothing. It is twice the longest time that a plan may leave between two."""
PER_DAY = 10
"""Doors a day of whoever is responsible and in no group."""


class _Due(NamedTuple):
    """A contact that was due when the day began."""

    by: date
    risk: int
    plan: str
    kept: bool
    """On the day itself."""


@dataclass
class _Door:
    """A household with contacts due."""

    household: str
    door: str
    way: str
    place: tuple[Any, ...]
    dues: list[_Due]
    responsible: set[str]

    @property
    def left(self) -> list[_Due]:
        return [due for due in self.dues if not due.kept]

    def rank(self, day: date) -> tuple[Any, ...]:
        """Overdue first, then by risk, then along the walk."""
        return *_most_urgent(self.dues, day), self.place, self.household

    def as_fields(self, day: date) -> Fields:
        """As it is told while something is left."""
        by = min(due.by for due in self.left)
        return {
            "household": self.household,
            "place": self.way,
            "door": self.door,
            "due": str(by),
            "late": (day - by).days,
            "risk": max(due.risk for due in self.left),
            "plans": [*sorted(due.plan for due in self.left)],
            "responsible": [*sorted(self.responsible)],
        }


def _most_urgent(dues: Iterable[_Due], day: date) -> tuple[bool, int]:
    return min(due.by for due in dues) >= day, -max(due.risk for due in dues)


def duty_list(records: Records, day: date, area: str, group: str = "first", *, begins: int = DAY_BEGINS) -> Fields:
    """The list of one day for one group of an area 一个敲门组一天的清单.

    `records` are those that are NEEDED, as whoever sees them whole holds them. Those of elsewhere do no harm. A visit
    without a `day`, which no server has counted yet, is of the day that its phone's clock said, where days begin at
    `begins` o'clock.

    Gives `{day, worked, members: [{person, name, per_day, doors}], undone, due, overdue, done}`. Each of `doors` and
    `undone` says household, place (the areas on the way), door, due, late (in days), risk, plans and responsible, and
    `shared` where somebody takes it whose it isn't; `undone` is what nobody has room for. `due` and `overdue` count
    doors, `done` plans that were kept on that day. What was due that morning is shared out: a door that is done goes
    off the list, and moves no other one from somebody to somebody else.
    """
    calendar = calendar_of(records, area)
    inside = _areas_below(records, area)
    contacts, groups = _contacts(records, day, begins), _groups(records, day, area)
    walk = Walk(records.get("areas", {}))
    doors: dict[str, _Door] = {}
    done = 0
    for id, plan in records.get("care_plans", {}).items():
        household = records.get("households", {}).get(str(plan.get("household_id")))
        if household is None or household.get("area_id") not in inside:
            continue
        if plan.get("closed") or not (_is_in_force(plan, day) and _is_the_groups(plan, groups, group)):
            continue
        before, kept = _last_contact(plan, contacts, day)
        done += kept
        by = due_by(plan, before, day, calendar)
        if by <= day and (plan.get("days") == "all_days" or calendar.is_worked(day)):
            _add(doors, plan, _Due(by, _risk_of(plan), id, kept), _new_door(walk, plan, household, area))
    ranked = sorted(doors.values(), key=lambda door: door.rank(day))
    left = [door.left for door in ranked if door.left]
    return {
        "day": str(day),
        "worked": calendar.is_worked(day),
        **_shared_out(ranked, _members(records, day, area, group, ranked), day),
        "due": len(left),
        "overdue": sum(any(due.by < day for due in dues) for dues in left),
        "done": done,
    }


def due_by(plan: Fields, last: date | None, day: date, calendar: Calendar) -> date:
    """By which day the plan's next contact is due, as seen on `day`.

    On working days only, what would be due on a day of rest is due before it, or, where that would be the day of the
    last contact or the plan hadn't begun, on the first working day after.
    """
    since = max(date.fromisoformat(str(plan["since"])), shifted(day, -LOOK_BACK))
    every = plan.get("every_days")
    earliest = since if last is None else max(since, shifted(last, 1))
    due = since if last is None else max(since, shifted(last, every if isinstance(every, int) else 7))
    if plan.get("days") == "all_days":
        return due
    before = calendar.last_worked(due)
    return before if before >= earliest else calendar.next_worked(due)


Groups = Mapping[str, set[str]]


def _groups(records: Records, day: date, area: str) -> Groups:
    """Group → its members on that day."""
    found = defaultdict[str, set[str]](set)
    for member in records.get("members", {}).values():
        if member.get("area_id") == area and _is_in_force(member, day):
            found[str(member.get("group"))].add(str(member.get("person_id")))
    return found


def _is_the_groups(plan: Fields, groups: Groups, group: str) -> bool:
    """Is one of the responsible in this group? The first of several that are has it; nobody's is the first of all."""
    responsible = plan.get("responsible")
    people = {str(person) for person in responsible} if isinstance(responsible, list) else set[str]()
    theirs = {name for name, members in groups.items() if members & people}
    return group == min(theirs or groups, default=group)


def _is_in_force(dated: Fields, day: date) -> bool:
    """Days are text of one length, which compares as time."""
    until = dated.get("until")
    return str(dated.get("since")) <= str(day) and (until is None or str(until) >= str(day))


def _areas_below(records: Records, area: str) -> set[str]:
    areas = records.get("areas", {})
    children = defaultdict[str, list[str]](list)
    for id, fields in areas.items():
        children[str(fields.get("parent_id"))].append(id)
    found, ahead = set[str](), [area]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead += children[one]
    return found


Contacts = Mapping[str, list[tuple[date, str, frozenset[str]]]]
"""Household → when, by which channel, and who was met."""


def _contacts(records: Records, day: date, begins: int) -> Contacts:
    found = defaultdict[str, list[tuple[date, str, frozenset[str]]]](list)
    oldest = str(shifted(day, -LOOK_BACK))
    for visit in records.get("visits", {}).values():
        when = str(visit.get("day") or _day_of_unsent(visit, day, begins))
        if visit.get("outcome") == "opened" and oldest < when <= str(day):
            met = visit.get("persons_met")
            persons = frozenset(str(person) for person in met) if isinstance(met, list) else frozenset[str]()
            found[str(visit.get("household_id"))].append((date.fromisoformat(when), str(visit.get("channel")), persons))
    return found


def _day_of_unsent(visit: Fields, day: date, begins: int) -> date:
    """Of a visit that no server has counted yet: by the clock of the phone that holds it, and never after `day`."""
    try:
        said = datetime.fromisoformat(str(visit.get("visited_at")))
        return min(day_of(said, begins), day)
    except (ValueError, OverflowError):
        return day


def _last_contact(plan: Fields, contacts: Contacts, day: date) -> tuple[date | None, bool]:
    """When the last one before this day was that counts, and was there one on it?"""
    whom, ways = plan.get("resident_id"), plan.get("channels")
    counted = [
        when
        for when, channel, persons in contacts.get(str(plan.get("household_id")), ())
        if (not isinstance(ways, list) or not ways or channel in ways) and (whom is None or whom in persons)
    ]
    return max((when for when in counted if when < day), default=None), day in counted


def _new_door(walk: Walk, plan: Fields, household: Fields, area: str) -> _Door:
    way, place = walk.way(household.get("area_id"), area), walk.place(household)
    return _Door(str(plan["household_id"]), str(household.get("door")), way, place, [], set())


def _risk_of(plan: Fields) -> int:
    risk = plan.get("risk")
    return risk if isinstance(risk, int) else 1


def _add(doors: dict[str, _Door], plan: Fields, due: _Due, new: _Door) -> None:
    door = doors.setdefault(new.household, new)
    door.dues.append(due)
    responsible = plan.get("responsible")
    door.responsible |= {str(person) for person in responsible} if isinstance(responsible, list) else set()


@dataclass
class _Share:
    """A person's part of the list, and how many doors they can still take."""

    person: str
    name: str
    per_day: int
    doors: list[tuple[int, bool]]
    """Their ranks, and which of them somebody else is responsible for."""

    @property
    def room(self) -> int:
        return self.per_day - len(self.doors)

    def take(self, place: int, *, shared: bool = False) -> None:
        insort(self.doors, (place, shared))


def _members(records: Records, day: date, area: str, group: str, ranked: list[_Door]) -> list[_Share]:
    shares = {
        str(member["person_id"]): _Share(
            str(member["person_id"]), str(member["name"]), whole_number(member["per_day"]), []
        )
        for _, member in sorted(records.get("members", {}).items())
        if member.get("area_id") == area and member.get("group") == group and _is_in_force(member, day)
    }
    if not shares:
        everybody = {person for door in ranked for person in door.responsible}
        shares = {person: _Share(person, "", PER_DAY, []) for person in everybody}
    return [shares[person] for person in sorted(shares)]


def _shared_out(ranked: list[_Door], shares: list[_Share], day: date) -> Fields:
    """First to whose they are, as far as they have room; what is left to whoever has the most room."""
    left: list[int] = []
    for place, door in enumerate(ranked):
        theirs = [share for share in shares if share.person in door.responsible and share.room > 0]
        if theirs:
            max(theirs, key=lambda share: share.room).take(place)
        else:
            left.append(place)
    undone: list[tuple[int, bool]] = []
    for place in left:
        freest = max(shares, key=lambda share: share.room, default=None)
        if freest is None or freest.room <= 0:
            undone.append((place, False))
        else:
            freest.take(place, shared=True)

    def told(doors: list[tuple[int, bool]]) -> list[JsonValue]:
        still = [(ranked[place].as_fields(day), shared) for place, shared in doors if ranked[place].left]
        return [{**door, "shared": True} if shared else door for door, shared in still]

    members: list[JsonValue] = [
        {"person": s.person, "name": s.name, "per_day": s.per_day, "doors": told(s.doors)} for s in shares
    ]
    return {"members": members, "undone": told(undone)}
