"""What a person looks at: lists, one record, how the phone stands, what waits to be settled."""

from app.collections import COLLECTIONS
from app.phone import contested
from app.phone.find import get_key, short
from app.phone.held import Held, Trouble
from app.phone.labels import COLLECTION_WORDS, Labels, field_words
from app.phone.telling import Told, as_document, clock, padded, spelled, stamp, words_of
from sync.entries import Entry
from sync.outbox import NotShown
from sync.replica import Key, Refused, Shown
from sync.wire import Fields

UNSENT = "未上传 unsent"
_SHOWN_CODES = {"tags", "use", "needs", "method", "relation"}
_SHORT_NOTE = 28


def listed(held: Held, collection: str) -> Told:
    """Every record of a collection. Raises Trouble for one this phone has never met."""
    if collection not in COLLECTIONS and collection not in set(held.replica.copies().collections()):
        known = ", ".join(COLLECTIONS)
        raise Trouble("unknown_collection", f"没有这类记录，可用：{known}", f"No such collection; there are: {known}")
    labels = Labels(held)
    records = sorted(held.replica.shown_all(collection), key=lambda one: _order(labels, one))
    lines = [_line(labels, one) for one in records]
    lines.append(f"{COLLECTION_WORDS.get(collection, collection)}: {len(records)}")
    return Told({"collection": collection, "records": [record_document(one) for one in records]}, lines)


def shown(held: Held, typed: str) -> Told:
    """One record whole; of a household also who lives there and who knocked. Raises Trouble, NotShown."""
    key = get_key(held, typed)
    one = held.replica.shown(key)
    if one is None:
        raise NotShown(key.path)
    labels = Labels(held)
    open_conflicts = list(contested.conflicts_of(held, key))
    beside = list(_of_household(held, key)) if key.collection == "households" else []
    lines = [f"{labels.line(one)}  {UNSENT if one.unsent else ''}".rstrip()]
    for name, value in one.fields.items():
        words = spelled(labels.code(value) if name in _SHOWN_CODES else value)
        lines.append(f"    {padded(field_words(key.collection, name), 32)}{words}")
    for conflict in open_conflicts:
        lines += ["", *contested.as_lines(held, labels, conflict)]
    if beside:
        lines += ["", *(_line(labels, other) for other in beside)]
    document = record_document(one)
    document["conflicts"] = [contested.as_document(held, conflict) for conflict in open_conflicts]
    document["beside"] = [record_document(other) for other in beside]
    return Told(document, lines)


def conflicts(held: Held) -> Told:
    """Every open conflict, side by side."""
    labels, lines = Labels(held), list[str]()
    open_ones = list(held.replica.conflicts())
    for conflict in open_ones:
        lines += contested.as_lines(held, labels, conflict)
    lines = lines or ["没有冲突 · No conflicts"]
    return Told({"conflicts": [contested.as_document(held, conflict) for conflict in open_ones]}, lines)


def status(held: Held) -> Told:
    """How the phone stands: never asks the server."""
    state, refusals = held.replica.status(), held.replica.refusals()
    since = f"，自 since {clock(state.oldest_at)}" if state.oldest_at else ""
    lines = [
        f"手机 phone        {held.terminal.file}",
        f"登录 signed in    {state.person or '—'}",
        f"{UNSENT}     {state.unsent}{since}",
        f"发送中 in flight  {state.in_flight}",
        f"未接受 refused    {state.refused}",
        f"冲突 conflicts    {state.conflicts}",
        f"上次同步 synced   {clock(state.completed_at)}",
    ]
    if state.blocked_by:
        lines.append(f"受阻 blocked by   {state.blocked_by}")
    labels = Labels(held)
    for entry in held.entries.marked("unsent"):
        lines.append(f"    {clock(entry.made_at)} {_entry_words(held, labels, entry)}")
    for refused in refusals:
        lines += refusal_lines(refused)
    return Told({**status_document(held), "refusals": [_refusal_document(one) for one in refusals]}, lines)


def status_document(held: Held) -> Fields:
    """How the phone stands, as JSON."""
    state = held.replica.status()
    return {
        **{"file": str(held.terminal.file), "person": state.person, "replica": state.replica},
        **{"unsent": state.unsent, "oldest_at": stamp(state.oldest_at), "in_flight": state.in_flight},
        **{"refused": state.refused, "conflicts": state.conflicts, "completed_at": stamp(state.completed_at)},
        **{"differing_feeds": state.differing, "recovering": state.recovering, "blocked_by": state.blocked_by},
    }


def record_document(one: Shown) -> Fields:
    """A record as JSON."""
    collection, home, record = one.key
    named: Fields = {"collection": collection, "home": str(home), "id": str(record)}
    return {**named, "rev": one.rev, "unsent": one.unsent, "fields": one.fields}


def refusal_lines(refused: Refused) -> list[str]:
    """What wasn't taken, why, and what its person had written."""
    lines = [f"    ✗ {refused.key.collection} {short(refused.key.record)}: {words_of(refused.problem)}"]
    return lines + [f"        我写的 mine  {name} = {spelled(value)}" for name, value in refused.fields.items()]


def _refusal_document(refused: Refused) -> Fields:
    key = refused.key
    named: Fields = {"mutation": str(refused.id), "collection": key.collection, "record": str(key.record)}
    return {**named, "op": refused.op, "wrote": refused.fields, "problem": as_document(refused.problem)}


def _order(labels: Labels, one: Shown) -> tuple[object, ...]:
    if one.key.collection == "households":
        return labels.order(one.fields)
    return (str(one.fields.get("visited_at") or ""), one.key.path)


def _line(labels: Labels, one: Shown) -> str:
    fields = one.fields
    note = str(fields.get("note") or "").replace("\n", " ")
    told = [str(fields[name]) for name in ("use", "outcome", "state", "phone") if fields.get(name)]
    for name in ("tags", "needs"):
        if members := fields.get(name):
            told.append(spelled(labels.code(members)))
    excerpt = note if len(note) <= _SHORT_NOTE else note[: _SHORT_NOTE - 1] + "…"
    mark = "*" if one.unsent else " "
    return f"{mark} {short(one.key.record)}  {padded(labels.record(one.key, fields), 18)} {'  '.join([*told, excerpt])}"


def _of_household(held: Held, household: Key) -> list[Shown]:
    both = [one for name in ("residents", "visits") for one in held.replica.shown_all(name)]
    return [one for one in both if one.fields.get("household_id") == str(household.record)]


def _entry_words(held: Held, labels: Labels, entry: Entry) -> str:
    one = held.replica.shown(entry.key)
    label = labels.line(one) if one else f"{entry.key.collection} {short(entry.key.record)}"
    return f"{entry.op} {label}"
