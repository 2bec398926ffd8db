"""A conflict is resolved on the phone, offline too, on the same terms as an edit of the record it is about."""

import pytest

from sync.replica import Key, NotOpen
from tests.scripted import Pair, a_household, pair, refusal

__all__ = ["pair"]


def a_conflict(pair: Pair, target: Key, field: str = "phone") -> Key:
    """Two people want two phone numbers."""
    key = pair.key("conflicts", 90 + len(field))
    fields = {
        **{"of_collection": target.collection, "of_record": str(target.record), "field": field},
        **{"base": "1", "held": "1", "candidates": [], "state": "open", "resolution": None, "resolved_by": None},
    }
    pair.server.write(key, fields)
    pair.sync()
    return key


def test_a_resolution_carries_the_targets_base_and_closes_the_conflict_on_the_phone(pair: Pair) -> None:
    household = a_household(pair)
    conflict = a_conflict(pair, household)
    assert [one.key for one in pair.phone.conflicts()] == [conflict]
    pair.phone.resolve(conflict, "7")
    assert list(pair.phone.conflicts()) == []
    assert pair.phone.status().conflicts == 0
    shown = pair.phone.shown(household)
    assert shown is not None
    assert (shown.fields["phone"], shown.unsent) == ("7", True)
    pair.phone.resolve(conflict, "8")  # a change of mind, before it is sent
    pair.lose_an_answer()
    (mutation,) = pair.last_push()
    assert (mutation["collection"], mutation["op"], mutation["base"]) == ("conflicts", "update", 1)
    assert mutation["fields"] == {"resolution": {"value": "8", "base": 3, "after": None}}
    with pytest.raises(NotOpen):
        pair.phone.resolve(conflict, "9")


def test_an_edit_after_a_resolution_of_its_record_lies_on_it_and_waits_for_it(pair: Pair) -> None:
    household = a_household(pair)
    conflict = a_conflict(pair, household)
    pair.phone.resolve(conflict, "7")
    pair.phone.edit(household, {"phone": "8"})
    with pytest.raises(NotOpen):
        pair.phone.resolve(conflict, "9")  # the later edit would be overwritten
    pair.lose_an_answer()
    (resolution,) = pair.last_push()
    pair.phone.edit(household, {"door": "103"})
    pair.sync()
    edit = pair.last_push()[0]
    assert (edit["base"], edit["after"]) == (3, resolution["id"])
    assert edit["fields"] == {"phone": "8", "door": "103"}


def test_a_resolution_upon_an_edit_in_flight_names_it_for_its_target(pair: Pair) -> None:
    household = a_household(pair)
    conflict = a_conflict(pair, household)
    pair.phone.edit(household, {"phone": "5"})
    pair.lose_an_answer()
    pair.phone.resolve(conflict, "7")
    pair.lose_an_answer()
    (edit,) = pair.last_push()  # the resolution waits: its target is in flight
    pair.sync()
    resolution = pair.last_push()[0]
    assert resolution["fields"]["resolution"] == {"value": "7", "base": 3, "after": edit["id"]}
    assert resolution["after"] is None


def test_a_resolution_upon_an_edit_that_goes_again_under_a_new_id_names_the_new_one(pair: Pair) -> None:
    household = a_household(pair)
    conflict = a_conflict(pair, household)
    pair.phone.edit(household, {"phone": "5"})
    pair.lose_an_answer()
    (edit,) = pair.last_push()
    pair.server.outcomes[edit["id"]] = {"id": edit["id"], **refusal("mutation_reused")}, {}
    pair.phone.resolve(conflict, "7")
    pair.sync()
    _, again, resolution = list(pair.server.mutations)[-3:]
    assert (again["fields"], again["id"] != edit["id"]) == ({"phone": "5"}, True)
    assert resolution["fields"]["resolution"] == {"value": "7", "base": 3, "after": again["id"]}


def test_resolving_a_crossing_delete_hides_the_record(pair: Pair) -> None:
    household = a_household(pair)
    conflict = a_conflict(pair, household, "deleted")
    pair.phone.resolve(conflict, True)
    assert pair.phone.shown(household) is None
    pair.phone.resolve(conflict, False)
    assert pair.phone.shown(household) is not None
