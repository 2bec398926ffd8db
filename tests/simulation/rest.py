"""What must hold when all is quiet: of every phone, of every word, and of the server's own tables."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.tables import Feed, FeedEntry, FeedMark, History, ReceivedMutation, Replica
from sync.replica import Replica as PhonesHalf
from sync.store import MemoryStore
from tests.agreement import of_feeds, of_history, of_listing
from tests.phones import held_by
from tests.simulation.days import visits_count_for_the_servers_days
from tests.simulation.phone import SimulatedPhone, words_of
from tests.simulation.place import LIAR

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

_TABLES = (ReceivedMutation, Replica, History, Feed, FeedMark, FeedEntry)
SETTLED_BY_A_RULE = {"best_time", "tags", "persons_met", "needs"}
"""The later one wins, or both do: nobody has to have seen what the history keeps anyway."""
REPLAYED = 10


def check_at_rest(simulation: "Simulation") -> None:
    """Everything that the promises say of a quiet place. Raises Broken."""
    kept = _everything(simulation)
    _phones_are_done(simulation)
    _equal_fresh_ones(simulation)
    _hold_nothing_foreign(simulation, kept)
    _nothing_acknowledged_is_missing(simulation, kept)
    _no_word_is_missing(simulation)
    _nothing_was_replaced_unseen(simulation, kept)
    _conflicts_tell_what_is_held(simulation, kept)
    _no_phone_conflicts_with_itself(simulation, kept)
    _each_had_its_effect_once(simulation, kept)
    _nobody_wrote_where_they_had_no_say(simulation, kept)
    _what_was_merged_leads_on(simulation, kept)
    visits_count_for_the_servers_days(simulation, kept)
    _the_tables_agree(simulation, kept)
    _saying_it_all_again_changes_nothing(simulation)


Kept = dict[str, list[dict[str, Any]]]


def _everything(simulation: "Simulation") -> Kept:
    async def read() -> Kept:
        async with simulation.server.context.database.snapshot("server") as snapshot:
            tables = {t.__tablename__: t.__table__ for t in _TABLES} | {n: c.table for n, c in COLLECTIONS.items()}
            return {
                str(name): [dict(row._mapping) for row in await snapshot.rows(sa.select(table))]
                for name, table in tables.items()
            }

    return simulation.server.run(read())


def _phones_are_done(simulation: "Simulation") -> None:
    """I2, O8: nothing is left to send, and every feed adds up."""
    for phone in simulation.phones:
        status = phone.replica.status()
        if status.unsent or status.recovering or status.differing or not status.up_to_date:
            simulation.fail("O8", f"{phone.name} is stuck: {status}")


def _equal_fresh_ones(simulation: "Simulation") -> None:
    """I2: every replica equals a fresh one of the same person, byte for byte."""
    for login in sorted({phone.login for phone in simulation.phones}):
        fresh = _fresh_phone(simulation, login)
        for phone in simulation.phones:
            if phone.login == login and held_by(phone.replica) != fresh:
                differing = sorted(held_by(phone.replica).items() ^ fresh.items())
                simulation.fail("I2", f"{phone.name} differs from a fresh one: {differing[:3]}")


def _fresh_phone(simulation: "Simulation", login: str) -> dict[str, bytes]:
    server, phone = simulation.server, simulation.phones[0]
    about = b'{"name":"fresh","platform":"simulated","app_version":"1"}'
    said = json.loads(server.ask("POST", "/v1/replicas", about, server.sign_in(login)).body)
    replica = PhonesHalf(MemoryStore(), phone._seams, 500)
    replica.sign_in(server.place.people[login], said["id"])
    replica.want_sync()
    while request := replica.next_request():
        reply = server.ask(request.method, request.path, request.body, said["access_token"])
        replica.answer(request, reply.status, reply.media, reply.body)
    return held_by(replica)


def _hold_nothing_foreign(simulation: "Simulation", kept: Kept) -> None:
    """I4: of what one may not read now, a phone keeps only what its own person typed."""
    for phone in simulation.phones:
        readable = {word for path, shown in held_by(phone.replica).items() for word in words_of(shown.decode())}
        copies = {word for _, copy in phone.store.scan("copies") for word in words_of(copy)}
        if foreign := copies - readable - _shadowed(phone):
            simulation.fail("I4", f"{phone.name} keeps {sorted(foreign)[:3]}")
        allowed = simulation.server.reading(phone.login)
        held = {feed.feed for feed in phone.replica.copies().feeds()}
        if held - allowed:
            simulation.fail("I4", f"{phone.name} follows {sorted(held - allowed)}")
        seen = {one.feed for entry in phone.entries() for one in entry.seen if one.feed}
        if seen - allowed:
            simulation.fail("I4", f"{phone.name} remembers what {sorted(seen - allowed)} showed")


def _shadowed(phone: SimulatedPhone) -> set[str]:
    """Words of a copy that another copy of the same record hides."""
    copies = phone.replica.copies()
    return {
        word
        for name in copies.collections()
        for key in copies.listed_keys(name)
        for _, copy in phone.store.scan("copies", f"{key.path}/")
        for word in words_of(copy)
    }


def _nothing_acknowledged_is_missing(simulation: "Simulation", kept: Kept) -> None:
    """I1, I10: what any phone saw acknowledged is there, with the outcome it was told."""
    oracle = simulation.oracle
    received: dict[str, set[str]] = defaultdict(set)  # a liar may have used the same id in another community
    for row in kept["received_mutation"]:
        received[str(row["id"])].add(row["outcome"])
    for id, outcome in oracle.acknowledged.items():
        if id not in received and id not in oracle.excused:
            simulation.fail("I1", f"an acknowledged mutation is gone: {id} ({outcome})")
        if not oracle.restored and id in received and outcome not in received[id]:
            simulation.fail("I1", f"{outcome} was acknowledged, {received[id]} is kept")


def _no_word_is_missing(simulation: "Simulation") -> None:
    """I7: whatever was typed is on the server, or in a refusal that its writer can read."""
    oracle = simulation.oracle
    there = oracle._on_server()
    for phone in simulation.phones:
        there |= {w for entry in phone.entries() if entry.state != "done" for w in words_of(entry.content())}
    if missing := oracle.typed - oracle.excused - there:
        simulation.fail("I7", f"typed, and nowhere: {sorted(missing)[:3]}")


def _nothing_was_replaced_unseen(simulation: "Simulation", kept: Kept) -> None:
    """I7: who took a word out of a record or a conflict had had it before their eyes."""
    past: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in kept["history"]:
        past[row["home"], row["collection"], row["record_id"]].append(row)
    for (_, *key), rows in past.items():
        held: dict[str, Any] = {}
        for row in sorted(rows, key=lambda row: row["rev"]):
            _require_seen(simulation, key, row, held)
            held |= row["fields"]


def _require_seen(simulation: "Simulation", key: Sequence[Any], row: dict[str, Any], held: dict[str, Any]) -> None:
    mutation = str(row["mutation_id"])
    sights = simulation.oracle.sights.get(mutation)
    liar = simulation.server.place.people[LIAR]
    if sights is None or row["person_id"] == liar or mutation in simulation.oracle.under_way:
        return  # a liar's, who had whatever they claim before their eyes; or see Oracle.has_restored
    names = held.keys() if row["op"] == "delete" else row["fields"].keys()
    if key[0] == "conflicts":
        names = [name for name in names if name == "candidates"]
    gone: set[str] = set()
    for name in names:
        if name not in SETTLED_BY_A_RULE:
            gone |= words_of(held.get(name)) - words_of(row["fields"].get(name))
    if unseen := gone - sights:
        simulation.fail("I7", f"{key[0]} rev {row['rev']}: {sorted(unseen)} was replaced unseen by {row['op']}")


def _conflicts_tell_what_is_held(simulation: "Simulation", kept: Kept) -> None:
    """I7: whoever resolves a conflict is shown what the record holds."""
    records = {(name, row["home"], row["id"]): row for name in COLLECTIONS for row in kept[name]}
    for conflict in kept["conflicts"]:
        name, collection = conflict["field"], conflict["of_collection"]
        if conflict["state"] == "open":
            target = records[collection, conflict["home"], conflict["of_record"]]
            fields = COLLECTIONS[collection].as_fields(target)
            held = target["deleted_at"] is not None if name == "deleted" else fields[name]
            if held != conflict["held"]:
                simulation.fail("I7", f"a conflict on {name} shows another value than is held")


def _no_phone_conflicts_with_itself(simulation: "Simulation", kept: Kept) -> None:
    """O12: what a phone wrote is contested only where somebody else has written since its base.

    Left out is what asks for other reasons: a past that was lost, files that were copied, grace (also of those who lost
    a building by a handover), deletes, what was said of two that a merge has made one, and what lies on a second create
    of one id, which only these people make.
    """
    if simulation.oracle.restored or simulation.server.handovers:
        return
    grants = simulation.server.grants
    ended = {login for login in grants if any(one.until for one in grants[login])}
    apart = {simulation.server.place.people[login] for login in {LIAR, *simulation.oracle.copied, *ended}}
    sent = {(r["id"], r["record_id"]): r for r in kept["received_mutation"] if r["person_id"] not in apart}
    made = Counter((row["replica_id"], row["record_id"]) for row in sent.values() if row["op"] == "create")
    past: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in kept["history"]:
        past[row["home"], row["collection"], row["record_id"]].append(row)
    for conflict in kept["conflicts"]:
        name, of = conflict["field"], past[conflict["home"], conflict["of_collection"], conflict["of_record"]]
        if any(row["op"] not in ("create", "update") or "area_id" in row["fields"] for row in of if row["rev"] > 1):
            continue
        said = [row["fields"].get("candidates") or () for row in past[conflict["home"], "conflicts", conflict["id"]]]
        for candidate in {one["mutation"] for candidates in said for one in candidates}:
            mine = sent.get((UUID(candidate), conflict["of_record"]))
            if mine is None or mine["op"] != "update":
                continue
            since = [row["mutation_id"] for row in of if row["rev"] > mine["base"] and name in row["fields"]]
            theirs = [sent.get((id, conflict["of_record"])) for id in since]
            authors = {row["replica_id"] if row else None for row in theirs}
            if authors == {mine["replica_id"]} and made[mine["replica_id"], mine["record_id"]] < 2:
                simulation.fail("O12", f"{candidate} conflicts with its own phone over {name}")


def _each_had_its_effect_once(simulation: "Simulation", kept: Kept) -> None:
    """I3: no record was written twice by one mutation; a recovery before its edit apart."""
    counts = Counter(
        (row["collection"], row["home"], row["record_id"], row["mutation_id"], row["op"])
        for row in kept["history"]
        if row["collection"] != "conflicts"
    )
    for (collection, _, _, mutation, op), count in counts.items():
        if count > 1:
            simulation.fail("I3", f"{mutation} wrote one of {collection} {count} times ({op})")


def _nobody_wrote_where_they_had_no_say(simulation: "Simulation", kept: Kept) -> None:
    """I4, writing: a liar changes nothing of a community in which they never worked."""
    server = simulation.server
    for row in kept["history"]:
        if row["person_id"] == server.place.people[LIAR] and row["home"] == server.home:
            simulation.fail("I4", f"a liar wrote {row['collection']} of another community")


def _what_was_merged_leads_on(simulation: "Simulation", kept: Kept) -> None:
    """I7: at once to a record that stayed; nobody sees it any more, and nothing that they see refers to it."""
    led = {(row["home"], row["id"]): row["merged_into"] for row in kept["households"] if row["merged_into"]}
    if any((home, into) in led for (home, _), into in led.items()):
        simulation.fail("I7", "an alias leads to an alias")
    if any(row["deleted_at"] is None for row in kept["households"] if (row["home"], row["id"]) in led):
        simulation.fail("I7", "an alias is shown as a record")
    for name in ("residents", "visits"):
        if any((row["home"], row["household_id"]) in led for row in kept[name]):
            simulation.fail("I7", f"one of {name} refers to what was merged")


def _the_tables_agree(simulation: "Simulation", kept: Kept) -> None:
    """I1: each kept outcome is counted, each rev follows the one before, each feed lists what lies in it."""
    faults = of_feeds(kept["feed"], kept["feed_mark"], kept["feed_entry"], {})
    for home in {row["home"] for row in kept["history"]}:
        # A record is known by its home too: a liar may have made one of the same id next door.
        records = {(name, row["id"]): row for name in COLLECTIONS for row in kept[name] if row["home"] == home}
        faults += of_history([row for row in kept["history"] if row["home"] == home], records)
        faults += of_listing(kept["feed"], [row for row in kept["feed_entry"] if row["home"] == home], records)
    received = Counter(row["replica_id"] for row in kept["received_mutation"] if row["replica_id"])
    faults += [
        f"{row['received']} were counted of a phone that sent {received[row['id']]}"
        for row in kept["replica"]
        if row["received"] != received[row["id"]]
    ]
    for fault in faults:
        simulation.fail("I1", fault)


def _saying_it_all_again_changes_nothing(simulation: "Simulation") -> None:
    """I3: pushes that the phones once made, made again, leave every table as it is."""
    before = _weight(simulation)
    for path, token, body in simulation.pushes_heard[-REPLAYED:]:
        simulation.server.ask("POST", path, body, token)
    if _weight(simulation) != before:
        simulation.fail("I3", f"pushes made again moved {before} to {_weight(simulation)}")


def _weight(simulation: "Simulation") -> list[Any]:
    rows = simulation.server.rows
    return [
        [tuple(row) for row in rows("SELECT count(*), coalesce(sum(rev), 0) FROM history")],
        [tuple(row) for row in rows("SELECT count(*) FROM received_mutation")],
        [tuple(row) for row in rows("SELECT id, head, digest FROM feed ORDER BY id")],
    ]
