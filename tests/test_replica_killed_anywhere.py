"""A phone may be killed before any write to its disk: it goes on as if that moment hadn't been."""

from collections.abc import Callable

import pytest

from sync.entries import Key
from sync.replica import Replica
from sync.store import MemoryStore
from tests.scripted import HOME, Pair, Raw, ScriptedServer, new_pair, refusal


class Killed(BaseException):
    """As the system does it: no handler is asked."""


class MortalStore(MemoryStore):
    """Dies before the write that is due."""

    writes_left: int | None = None

    def put(self, table: str, key: str, value: object) -> None:
        self._die_when_due()
        super().put(table, key, value)  # type: ignore[arg-type]

    def delete(self, table: str, key: str) -> None:
        self._die_when_due()
        super().delete(table, key)

    def _die_when_due(self) -> None:
        if self.writes_left is None:
            return
        self.writes_left -= 1
        if self.writes_left < 0:
            self.writes_left = None
            raise Killed


def judge(mutation: Raw) -> Raw | None:
    """Whatever says `wrong` is refused."""
    return refusal("invalid") if "wrong" in mutation["fields"].values() else None


def a_days_work(pair: Pair) -> list[Callable[[], object]]:
    """What a person does, each step repeatable after a kill."""
    phone, household = pair.phone, pair.key("households", 1)
    visit, spoilt = pair.key("visits", 2), pair.key("visits", 3)

    def make(key: Key, fields: Raw) -> None:
        if phone.shown(key) is None:
            phone.create(key.collection, key.home, fields, key.record)

    def correct() -> None:
        for refused in phone.refusals():
            phone.correct(refused.id, {"note": "right"})

    return [
        pair.sync,
        lambda: make(visit, {"household_id": str(household.record), "note": "one"}),
        lambda: phone.edit(household, {"phone": "2"}),
        pair.lose_an_answer,
        lambda: phone.edit(household, {"phone": "3"}),
        lambda: make(spoilt, {"note": "wrong"}),
        pair.sync,
        correct,
        lambda: phone.edit(visit, {"note": "two"}),
        pair.sync,
    ]


def a_pair(server: ScriptedServer) -> Pair:
    pair = new_pair(MortalStore(), page_limit=2)
    pair.server = server
    server.judge = judge
    for number in range(1, 6):
        if number not in (2, 3):
            server.write(pair.key("households", number), {"door": str(number)})
    server.changes[-1]["rev"] = 1
    return pair


def outcome_of_the_day(kill_at: int | None) -> tuple[bool, dict[str, Raw], dict[str, Raw | None]]:
    """(was it killed, the server's records, the phone's) when the work was done."""
    pair = a_pair(ScriptedServer())
    store = pair.store
    assert isinstance(store, MortalStore)
    store.writes_left = kill_at
    killed = False
    steps = a_days_work(pair)
    while steps:
        try:
            steps[0]()
        except Killed:
            killed = True
            # A new process, which knows only what is on the disk; its person does the same once more.
            pair.phone = Replica(store, pair.clock.seams(seed=99), page_limit=2)
            steps = a_days_work(pair)[-len(steps) :]
            continue
        steps.pop(0)
    assert pair.phone.status().up_to_date
    assert pair.phone.status().differing == 0
    known = {key.path: dict(record["fields"]) for key, record in pair.server.records.items()}
    return killed, known, {path: pair.fields(Key.from_path(path)) for path in known}


@pytest.mark.parametrize("stretch", range(8))
def test_a_phone_killed_before_any_write_ends_where_one_that_lived_ends(stretch: int) -> None:
    _, records, shown = outcome_of_the_day(None)
    assert shown == records
    assert {path.split("/")[0]: fields.get("note") for path, fields in records.items()}["visits"] in ("two", "right")
    kill_at = stretch
    while True:
        killed, known, seen = outcome_of_the_day(kill_at)
        assert (known, seen) == (records, shown), kill_at
        if not killed:
            return
        kill_at += 8


def test_the_days_work_reached_the_server() -> None:
    _, records, _ = outcome_of_the_day(None)
    household = str(HOME)
    assert len(records) == 5
    assert all(household in path for path in records)
