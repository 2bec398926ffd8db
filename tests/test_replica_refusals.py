"""A refused mutation leaves the screen, stays with its problem, and can be put right."""

import json
from uuid import UUID

import pytest

from sync.corrections import NotRefused
from sync.entries import MUTATIONS, Key
from sync.phone import opened
from sync.replica import NotShown
from tests.scripted import HOME, Pair, Raw, pair, refusal

__all__ = ["pair"]


def refuse(pair: Pair, *keys: Key, code: str = "invalid") -> None:
    """The server refuses creates of these records, and what hangs on a record it doesn't have."""
    bad = {str(key.record) for key in keys}
    made: set[str] = {str(key.record) for key in pair.server.records}

    def judge(mutation: Raw) -> Raw | None:
        named = {mutation["record"]} if mutation["op"] != "create" else set()
        named |= {value for name, value in mutation["fields"].items() if name.endswith("_id")}
        if not named <= made:
            return refusal("depends_on_refused")
        if mutation["record"] in bad and mutation["fields"].get("door") == "wrong":
            return refusal(code)
        made.add(mutation["record"])
        return None

    pair.server.judge = judge


def test_a_refused_edit_leaves_the_screen_and_is_kept_with_its_problem(pair: Pair) -> None:
    key = pair.key("households", 1)
    pair.server.write(key, {"door": "101"})
    pair.sync()
    pair.server.judge = lambda mutation: refusal("not_permitted")
    pair.phone.edit(key, {"door": "102"})
    pair.sync()
    assert pair.fields(key) == {"door": "101"}
    (refused,) = pair.phone.refusals()
    assert (refused.key, refused.op, refused.fields) == (key, "update", {"door": "102"})
    assert refused.made_at == pair.clock.now
    assert refused.problem.code == "not_permitted"
    assert pair.phone.status().refused == 1
    pair.phone.dismiss(refused.id)
    assert pair.phone.refusals() == []
    with pytest.raises(NotRefused):
        pair.phone.dismiss(refused.id)


def test_of_an_edit_of_what_was_erased_nothing_is_kept(pair: Pair) -> None:
    key, other = pair.key("households", 1), pair.key("households", 2)
    for each in (key, other):
        pair.server.write(each, {"door": "101"})
    pair.sync()
    pair.server.judge = lambda mutation: refusal("erased") if mutation["record"] == str(key.record) else None
    pair.phone.edit(key, {"door": "a secret"})
    pair.phone.edit(other, {"door": "103"})
    pair.sync()
    assert pair.phone.refusals() == []
    assert "a secret" not in json.dumps([*pair.store.scan(MUTATIONS)])
    assert pair.fields(other) == {"door": "103"}
    assert pair.phone.status().up_to_date


def test_a_refusal_that_says_no_reason_is_shown_as_one_all_the_same(pair: Pair) -> None:
    pair.server.judge = lambda mutation: {"outcome": "refused"}
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.sync()
    (refused,) = pair.phone.refusals()
    assert (refused.problem.code, refused.problem.title) == ("refused", "refused")


def test_one_refused_mutation_holds_up_no_other(pair: Pair) -> None:
    keys = [pair.phone.create("households", HOME, {"door": door}) for door in ("1", "wrong", "3")]
    refuse(pair, *keys)
    pair.sync()
    assert [pair.fields(key) for key in keys] == [{"door": "1"}, None, {"door": "3"}]
    assert pair.phone.status().up_to_date


def test_correcting_a_refused_edit_makes_a_new_edit_of_the_record_as_shown(pair: Pair) -> None:
    key = pair.key("households", 1)
    pair.server.write(key, {"door": "101"})
    pair.sync()
    pair.server.judge = lambda mutation: refusal("invalid") if mutation["fields"].get("phone") == "x" else None
    pair.phone.edit(key, {"phone": "x"})
    pair.sync()
    pair.server.write(key, {"door": "102"})
    pair.sync()
    (refused,) = pair.phone.refusals()
    pair.phone.correct(refused.id, {"phone": "1"})
    assert pair.phone.refusals() == []
    pair.sync()
    first, second = pair.server.mutations
    assert second["id"] != first["id"]
    assert (second["base"], second["after"], second["fields"]) == (2, None, {"phone": "1"})


def test_correcting_a_create_queues_again_what_depended_on_it_in_order(pair: Pair) -> None:
    household = pair.phone.create("households", HOME, {"door": "wrong"})
    resident = pair.phone.create("residents", HOME, {"household_id": str(household.record), "name": "王四"})
    pair.phone.create("visits", HOME, {"resident_id": str(resident.record), "note": "one"})
    other = pair.phone.create("visits", HOME, {"note": "of nobody"})
    refuse(pair, household)
    pair.lose_an_answer()
    pair.phone.edit(household, {"phone": "1"})
    pair.sync()
    assert [r.problem.code for r in pair.phone.refusals()] == ["invalid", *["depends_on_refused"] * 3]
    assert pair.fields(other) == {"note": "of nobody"}
    ids = {refused.id for refused in pair.phone.refusals()}
    late = pair.phone.create("visits", HOME, {"household_id": str(household.record), "note": "late"})
    pair.phone.correct(pair.phone.refusals()[0].id, {"door": "101"})
    assert pair.phone.refusals() == []
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    pair.server.pushes.clear()
    pair.sync()
    sent = list(pair.server.mutations)
    assert [(m["collection"], m["op"]) for m in sent] == [
        ("households", "create"),
        ("residents", "create"),
        ("visits", "create"),
        ("visits", "create"),  # the late one, which waited behind them
        ("households", "update"),
    ]
    assert ids.isdisjoint(UUID(m["id"]) for m in sent)
    assert sent[0]["fields"] == {"door": "101"}
    assert sent[-1]["after"] == sent[0]["id"]
    assert pair.phone.refusals() == []
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    assert pair.phone.shown(late) is not None


def test_what_is_in_flight_when_its_create_is_corrected_is_queued_again_by_itself(pair: Pair) -> None:
    household = pair.phone.create("households", HOME, {"door": "wrong"})
    refuse(pair, household)
    pair.lose_an_answer()
    pair.phone.edit(household, {"phone": "1"})
    pair.exchange()  # the create is refused; the edit of it, made meanwhile, is still to be sent
    pair.lose_an_answer()  # and now in flight
    (refused,) = pair.phone.refusals()
    pair.phone.correct(refused.id, {"door": "101"})
    pair.sync()
    assert pair.phone.refusals() == []
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    create, update = list(pair.server.mutations)[-2:]
    assert (update["op"], update["after"]) == ("update", create["id"])


def test_correcting_a_create_leaves_what_was_refused_for_itself_alone(pair: Pair) -> None:
    first, second = (pair.phone.create("households", HOME, {"door": "wrong"}) for _ in range(2))
    refuse(pair, first, second)
    pair.sync()
    corrected, other = pair.phone.refusals()
    pair.phone.correct(corrected.id, {"door": "101"})
    assert pair.phone.refusals() == [other]
    pair.sync()
    assert (pair.fields(first), pair.fields(second)) == ({"door": "101"}, None)


def test_a_correction_that_cannot_be_made_leaves_the_refusal(pair: Pair) -> None:
    key = pair.key("households", 1)
    pair.server.write(key, {"door": "101"})
    pair.sync()
    pair.server.judge = lambda mutation: refusal("not_permitted")
    pair.phone.edit(key, {"door": "102"})
    pair.sync()
    pair.server.list(key, 2, {}, deleted=True)
    pair.sync()
    (refused,) = pair.phone.refusals()
    with pytest.raises(NotShown):
        pair.phone.correct(refused.id, {"door": "103"})
    assert pair.phone.refusals() == [refused]


def test_a_refused_resolution_is_corrected_as_an_edit_of_the_record_it_wrote(pair: Pair) -> None:
    household, conflict = pair.key("households", 1), pair.key("conflicts", 2)
    pair.server.write(household, {"phone": "1"})
    about = {"of_collection": "households", "of_record": str(household.record), "field": "phone"}
    pair.server.write(conflict, {**about, "state": "open", "held": "1", "candidates": []})
    pair.sync()
    pair.phone.resolve(conflict, "7")
    pair.server.judge = lambda mutation: refusal("already_resolved") if "resolution" in mutation["fields"] else None
    pair.sync()
    (refused,) = pair.phone.refusals()
    assert refused.fields["resolution"] == {"value": "7", "base": 1, "after": None}
    assert pair.fields(household) == {"phone": "1"}
    assert [one.key for one in pair.phone.conflicts()] == [conflict]
    pair.phone.correct(refused.id, {"phone": "7"})
    pair.sync()
    assert pair.server.records[household]["fields"] == {"phone": "7"}


def test_refusals_stay_for_ever_until_their_person_lets_them_go(pair: Pair) -> None:
    pair.server.judge = lambda mutation: refusal("invalid")
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.sync()
    pair.server.now = pair.server.now.replace(year=2027)
    pair.server.judge = lambda mutation: None
    pair.phone.create("visits", HOME, {"note": "two"})
    pair.sync()
    assert [refused.fields for refused in pair.phone.refusals()] == [{"note": "one"}]
    assert json.loads(json.dumps(pair.phone.refusals()[0].fields)) == {"note": "one"}


def test_what_depends_on_a_create_behind_it_goes_there_even_where_one_edit_fills_a_push(pair: Pair) -> None:
    key = pair.key("households", 1)
    refuse(pair, key)
    pair.phone.create("households", HOME, {"door": "wrong"}, key.record)
    pair.sync()
    [refused] = pair.phone.refusals()
    visit = pair.phone.create("visits", HOME, {"household_id": str(key.record)})
    pair.phone.edit(visit, {"note": "one"})
    pair.phone.dismiss(refused.id)
    pair.phone.create("households", HOME, {"door": "right"}, key.record)
    pair.phone.want_sync()
    with opened(pair.store, pair.clock.seams()) as phone:
        phone.meta.batch = 1
    for _ in range(12):
        if pair.phone.next_request() is None:
            break
        pair.exchange()
    assert pair.fields(key) == {"door": "right"}
    assert pair.fields(visit) == {"household_id": str(key.record), "note": "one"}
    assert pair.phone.status().up_to_date
