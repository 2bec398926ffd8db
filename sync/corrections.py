"""What becomes of refused mutations: corrected by their person, or queued again under new ids.

A mutation that is queued again keeps its place, so that what was written upon it still comes after it, or
takes that along; and what waits upon it is told its new id.
"""

from uuid import UUID

from sync import outbox
from sync.canonical import require_canonical
from sync.entries import Entry, Key
from sync.phone import Phone
from sync.wire import Fields

DEPENDS_ON_REFUSED = "depends_on_refused"
MUTATION_REUSED = "mutation_reused"


class NotRefused(LookupError):
    """No refused mutation of that id is on this phone."""


def correct(phone: Phone, mutation: UUID, fields: Fields) -> None:
    """A refused create is made anew with these fields, and what depended on it is queued again with it.

    Anything else refused becomes a new edit of the record as it is shown now (a refused resolution: of
    the record it wrote). Raises NotRefused, NotShown, NotCanonical.
    """
    entry = require_refused(phone, mutation)
    if entry.op != "create":
        phone.entries.remove(entry)
        outbox.edit(phone, entry.keys[-1], fields)
        return
    require_canonical(fields)
    seen = outbox.seen_beside(phone, entry.key, fields)
    anew = {"fields": fields, "seen": seen, "made_at": phone.seams.now()}
    _queue_dependants(phone, queue_again(phone, entry.model_copy(update=anew), entry.after))


def dismiss(phone: Phone, mutation: UUID) -> None:
    """Its person has read the refusal and lets it go. Raises NotRefused."""
    phone.entries.remove(require_refused(phone, mutation))


def require_refused(phone: Phone, mutation: UUID) -> Entry:
    """Raises NotRefused."""
    entry = phone.entries.find(mutation)
    if entry is None or entry.state != "refused":
        raise NotRefused(str(mutation))
    return entry


def queue_again(phone: Phone, entry: Entry, after: UUID | None) -> Entry:
    """The same mutation under a new id, in its old place; what waits upon the old id follows the new one."""
    unanswered = {"state": "waiting", "on_top": True, "again": False, "outcome": None, "acked_at": None}
    anew = entry.model_copy(update={"id": phone.seams.new_id(), "after": after, **unanswered})
    phone.entries.put(anew)
    for key in entry.keys:
        for follower in phone.entries.over(key):
            if follower.state == "waiting" and follower.id != anew.id:
                phone.entries.put(_following(follower, entry.id, anew.id))
    return anew


def waits_for_a_create(phone: Phone, entry: Entry) -> bool:
    """Is the create that it depends on, its own record's or a referred one's, still to be answered?"""
    return any(
        other.op == "create" and other.id != entry.id and depends(entry, {other.key})
        for other in phone.entries.marked("unsent")
    )


def depends(entry: Entry, keys: set[Key]) -> bool:
    """Is it of one of these records, or does it refer to one?"""
    records = {key.record for key in keys if key.home == entry.key.home}
    return entry.key in keys or any(id in records for id in outbox.references_in(entry.fields))


def queue_on_top(phone: Phone, entry: Entry) -> Entry:
    """The same mutation under a new id, upon whatever of ours now lies below it."""
    below = [other.id for other in phone.entries.over(entry.key) if other.place < entry.place]
    return queue_again(phone, entry, below[-1] if below else entry.after)


def queue_behind(phone: Phone, entry: Entry) -> None:
    """The same at the end of the outbox, with what waits upon it: the create that it depends on comes before it,
    however few fit into a push."""
    anew = queue_on_top(phone, entry)
    later = [other for other in phone.entries.over(anew.key) if other.place > anew.place and other.state == "waiting"]
    # Not the create itself, which would be behind it once more.
    for moved in (anew, *(other for other in later if other.op != "create")):
        phone.entries.remove(moved)
        phone.entries.put(moved.model_copy(update={"place": phone.entries.next_place()}))


def _queue_dependants(phone: Phone, create: Entry) -> None:
    keys = {create.key}
    for entry in list(phone.entries.marked("refused")):
        if entry.problem_code == DEPENDS_ON_REFUSED and depends(entry, keys):
            queue_on_top(phone, entry)
            keys |= {entry.key} if entry.op == "create" else set()


def _following(entry: Entry, old: UUID, new: UUID) -> Entry:
    """With the new id where it named the old one."""
    resolves = entry.resolves
    if resolves and resolves.after == old:
        resolves = resolves.model_copy(update={"after": new})
    return entry.model_copy(update={"after": new if entry.after == old else entry.after, "resolves": resolves})
