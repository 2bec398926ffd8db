"""The judge's bench: what is at hand while a mutation is judged, and what the mutation may touch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from pydantic import JsonValue

from app.access import Access, Verdict
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import as_uuid
from app.problems import Problem
from app.views import HELPER, whole
from app.working import AREAS, Key, Record, Working
from sync.decide import Rules
from sync.merge import latest
from sync.wire import Fields, Mutation, Op

_AREA = COLLECTIONS[AREAS].rules
_HANDING_OVER = replace(_AREA, policies={**_AREA.policies, "parent_id": latest})


@dataclass(frozen=True)
class Bench:
    """What a judge has at hand: the working set, the person's access, the epoch and the time."""

    working: Working
    access: Access
    person: UUID | None
    epoch: str
    now: datetime
    days: Callable[[JsonValue, Mutation], date]
    """To which day of work a time belongs that the mutation tells of."""
    today: date
    """The server's."""
    plain: set[UUID]
    """Collects the mutations of which the history has every word."""
    hands_over: bool = False
    """Is an area given to another parent? Otherwise that is set once."""

    def rules_of(self, record: Record) -> Rules:
        """How its fields are merged."""
        return _HANDING_OVER if self.hands_over else record.collection.rules


class Refused(Exception):
    """This one mutation is refused; the others go on."""

    def __init__(self, code: str, errors: Sequence[Fields] = (), **details: JsonValue) -> None:
        super().__init__(code)
        self.problem = Problem(code, errors=errors, **details)


def permitted(bench: Bench, record: Record, op: Op, fields: Fields) -> Verdict:
    """May this person write it? What one may not see does not exist. Raises Refused."""
    onto = require_references(bench, record, fields)
    writers = record.collection.roles(op)
    if record.held is not None:
        verdict = verdict_on(bench, record, writers)
        if verdict == "no":
            raise Refused(_why_not(bench, record, op))
        require_seen(bench, record, op, fields)
        return "grace" if onto == "grace" else verdict
    if op != "create":
        raise Refused(_missing(bench, record.key, "not_found"))
    _require_feed(bench, record.collection, fields)
    # Where it would list is among its references; only a root names nothing, and only the operator makes one.
    verdict = onto if fields.get(record.collection.lists_in) else bench.access.may_write((), (), writers)
    if verdict == "no":
        raise Refused("reference_not_found")
    return verdict


def require_seen(bench: Bench, record: Record, op: Op, fields: Fields) -> None:
    """Nobody changes what their view hides or masks, and nobody deletes what they see only in part."""
    if not record.collection.helper_view or (op == "create" and _may_meet(bench, record)):
        return
    feeds, theirs = bench.working.feeds_of(record), (bench.access.present, bench.access.ended)
    seen = {audience for feed, audience in feeds.items() for roles in theirs if roles.get(feed)}
    if seen != {HELPER}:
        return
    hidden = [name for name in fields if record.collection.helper_view.get(name) is not whole]
    if hidden or op == "delete":
        raise Refused("not_permitted", [{"pointer": f"/fields/{name}"} for name in hidden])


def _may_meet(bench: Bench, record: Record) -> bool:
    """Is it their own that the create meets, or what a restore made of others' words? What it would say of anybody
    else's is a guess at what is hidden.
    """
    return record.stamps.get("created_by") == bench.person or any(row.recovered for row in record.past.written)


def verdict_on(bench: Bench, record: Record, writers: frozenset[str]) -> Verdict:
    """Access follows the feeds of the record the server holds, never what a phone claims."""
    listed = set(bench.working.feeds_of(record)) or set(record.live_feeds)
    departed = {entry.feed_id for entry in record.entries} - listed
    return bench.access.may_write(listed, departed, writers)


def require_kept(bench: Bench, record: Record) -> None:
    """What was erased takes nothing more from whoever might have written it. Raises Refused: erased."""
    if record.erased and verdict_on(bench, record, record.collection.writers) != "no":
        raise Refused("erased")


def require_retained(bench: Bench, record: Record, fields: Fields) -> None:
    """Nothing new is recorded for a campaign whose retention has ended, nor about what was erased.

    Raises Refused: erased.
    """
    named = [id for name in record.collection.erased_with if (id := as_uuid(fields.get(name)))]
    if record.held is not None:
        return
    for about in (bench.working.find(str(fields.get("of_collection")), id) for id in named):
        if about:
            require_kept(bench, about)
    if any(bench.working.kept_until.get(id, bench.today) < bench.today for id in named):
        raise Refused("erased")


def _require_feed(bench: Bench, collection: Collection, fields: Fields) -> None:
    """Something lists what lies where the new record would. Raises Refused: area_without_feed."""
    working = bench.working
    parent = working.parent_named(collection, fields)
    area_id = as_uuid(fields.get(collection.lists_in))
    area = working.area_of(parent) if parent else working.areas.get(area_id) if area_id else None
    listed = working.feed_at(area, collection.audience)
    if area is not None and listed is None and collection.audience != "reference":
        raise Refused("area_without_feed")


def _why_not(bench: Bench, record: Record, op: Op) -> str:
    """What one may not see does not exist; what one may only read is not permitted."""
    if bench.access.may_read(bench.working.feeds_of(record)):
        return "not_permitted"
    return "id_taken" if op == "create" else _missing(bench, record.key, "not_found")


def _missing(bench: Bench, key: Key, code: str) -> str:
    """The code for what doesn't exist, or isn't this person's to see: no other where only one of these is so.

    What depends on a create of which nothing is kept isn't kept either.
    """
    if key not in bench.working.refused_creates:
        return code
    return "erased" if key in bench.working.forgotten_creates else "depends_on_refused"


def require_references(bench: Bench, record: Record, fields: Fields) -> Verdict:
    """Everything the fields refer to exists in this home and may be written to by this person.

    "grace" where that is so of one of them only by grace: nobody moves a record to where they have no say.
    """
    working = bench.working
    verdicts: set[Verdict] = {"yes"}
    for name, referred in record.collection.references.items():
        id = as_uuid(fields.get(name))
        if id is None:
            continue
        if referred == AREAS:
            verdicts.add(_require_area(bench, record, id))
            continue
        parent = working.find(referred, id)
        if parent is None:
            code = _missing(bench, (referred, id), "reference_not_found")
            raise Refused(code, [{"pointer": f"/fields/{name}"}])
        verdict = verdict_on(bench, parent, record.collection.writers)
        if verdict == "no":
            seen = bench.access.may_read(working.feeds_of(parent))
            code = "reference_not_found" if seen else _missing(bench, parent.key, "reference_not_found")
            raise Refused(code, [{"pointer": f"/fields/{name}"}])
        verdicts.add(verdict)
    return "grace" if "grace" in verdicts else "yes"


def _require_area(bench: Bench, record: Record, id: UUID) -> Verdict:
    area = bench.working.areas.get(id)
    is_tree = record.collection.name == AREAS
    if area is None or not (is_tree or area.home == bench.working.home or record.collection.audience == "reference"):
        raise Refused("reference_not_found")
    owner = area.owner(record.collection.audience)
    if owner is None:
        listed = bench.working.feeds.get((area.reference_area_id, "reference"))
        seen = bench.access.may_read([listed] if listed else [])
        raise Refused("area_without_feed" if seen else "reference_not_found")
    feeds = bench.working.feeds_at(area, record.collection, record.collection.audience)
    verdict = bench.access.may_write(feeds, (), record.collection.writers)
    if verdict == "no":
        raise Refused("reference_not_found")
    return verdict
