"""Conflicts about a delete, a text, a set, a whole record, and about what a restored server no longer knew."""

from typing import Any
from uuid import UUID

import pytest

from tests.raw_phone import RawPhone
from tests.two_people import contested, door, li, wang
from tests.world import NEW_ID, World, household, mutation

__all__ = ["door", "li", "wang"]


# Crossing deletes


async def crossing_delete(li: RawPhone, wang: RawPhone, door: UUID) -> str:
    await li.apply("households", door, "update", 1, fields={"floor": 3})
    outcome = await wang.say("households", door, "delete", 1)
    assert outcome["outcome"] == "conflicted"
    return str(outcome["conflicts"][0])


async def test_a_crossing_delete_is_a_conflict_on_deleted_and_the_record_stays(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await li.get("conflicts", await crossing_delete(li, wang, door))
    assert (conflict["field"], conflict["base"], conflict["held"]) == ("deleted", False, False)
    assert [c["value"] for c in conflict["candidates"]] == [True]
    assert (await li.get("households", door))["floor"] == 3


async def test_resolving_deleted_with_true_deletes(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict = await crossing_delete(li, wang, door)
    assert (await li.resolve(conflict, True, base=2, seen=1))["outcome"] == "applied"
    await li.pull()
    assert li.holds("households", door) is None
    closed = li.holds("conflicts", conflict)
    assert closed is not None
    assert (closed["fields"]["state"], closed["fields"]["resolution"]) == ("closed", True)
    li.check_digests()


async def test_resolving_deleted_with_false_keeps(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict = await crossing_delete(li, wang, door)
    assert (await li.resolve(conflict, False, base=2, seen=1))["outcome"] == "applied"
    shown = await li.get("conflicts", conflict)
    assert (shown["state"], shown["resolution"]) == ("closed", False)
    assert (await li.get("households", door))["rev"] == 2


async def test_deleted_is_resolved_with_true_or_false_and_nothing_else(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await crossing_delete(li, wang, door)
    outcome = await li.resolve(conflict, "yes", base=2, seen=1)
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "mutation_invalid")


async def test_resolving_with_true_what_was_edited_since_keeps_the_record_and_asks_on(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await crossing_delete(li, wang, door)
    await li.apply("households", door, "update", 2, fields={"floor": 4})
    outcome = await wang.resolve(conflict, True, base=2, seen=1)
    assert (outcome["outcome"], outcome["conflicts"]) == ("conflicted", [conflict])
    assert (await li.get("households", door))["floor"] == 4
    assert (await li.get("conflicts", conflict))["state"] == "open"


async def test_resolving_with_true_what_was_deleted_since_closes_the_conflict(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    """Everybody agrees that it is gone; nobody could ever close it otherwise."""
    conflict = await crossing_delete(li, wang, door)
    await li.apply("households", door, "delete", 2)
    held = await li.get("conflicts", conflict)
    assert (held["state"], held["held"]) == ("open", True)
    outcome = await wang.resolve(conflict, True, base=3, seen=held["rev"])
    assert outcome["outcome"] == "applied", outcome
    assert (await li.get("conflicts", conflict))["state"] == "closed"


async def test_keeping_does_not_undo_a_delete_that_its_writer_never_saw(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    """A resolution that is contested joins as a candidate, as an edit of that field would."""
    conflict = await crossing_delete(li, wang, door)
    await li.apply("households", door, "delete", 2)
    outcome = await wang.resolve(conflict, False, base=2, seen=1)
    assert outcome["outcome"] == "conflicted"
    shown = await li.get("conflicts", conflict)
    assert (shown["state"], shown["held"]) == ("open", True)
    assert False in [c["value"] for c in shown["candidates"]]


async def test_an_edit_of_a_deleted_record_revives_it_and_asks_in_the_deleters_name(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    await li.apply("households", door, "delete", 1)
    outcome = await wang.say("households", door, "update", 1, fields={"floor": 3})
    assert outcome["outcome"] == "conflicted"
    await li.pull()
    record, conflict = li.holds("households", door), li.holds("conflicts", outcome["conflicts"][0])
    assert record is not None
    assert conflict is not None
    assert (record["fields"]["floor"], record["rev"]) == (3, 3)
    [candidate] = conflict["fields"]["candidates"]
    assert (candidate["value"], candidate["by"]) == (True, str(world.people["li"]))
    assert [row["op"] for row in await li.history("households", door)] == ["revive", "delete", "create"]
    li.check_digests()


# Fields that are not simply replaced


async def test_a_contested_text_waits_whole_and_is_resolved_whole(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict = await contested(li, wang, door, "note", ours="一。甲。三。", theirs="一。乙。三。")
    shown = await li.get("conflicts", conflict)
    assert (shown["base"], shown["held"]) == ("一。二。三。", "一。甲。三。")
    assert [c["value"] for c in shown["candidates"]] == ["一。乙。三。"]
    await li.resolve(conflict, "一。甲。乙。三。", base=2, seen=1)
    assert (await li.get("households", door))["note"] == "一。甲。乙。三。"


async def test_a_text_that_two_people_made_too_long_together_is_a_conflict(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    """A merge result that fails the record's validation becomes a conflict: 4000 characters are the field's limit."""
    await li.apply("households", door, "update", 1, fields={"note": "一。二。三。" + "甲" * 3900})
    outcome = await wang.say("households", door, "update", 1, fields={"note": "乙" * 3900 + "。一。二。三。"})
    assert outcome["outcome"] == "conflicted", outcome["outcome"]
    assert len((await li.get("households", door))["note"]) <= 4000


async def test_a_set_that_two_people_made_too_large_together_is_a_conflict_and_is_resolved_whole(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    ours, theirs = [f"l{n:02}" for n in range(60)], [f"w{n:02}" for n in range(60)]
    await li.apply("households", door, "update", 1, fields={"tags": {"add": ours}})
    outcome = await wang.say("households", door, "update", 1, fields={"tags": {"add": theirs}})
    assert outcome["outcome"] == "conflicted"
    [conflict] = outcome["conflicts"]
    shown = await li.get("conflicts", conflict)
    assert (shown["field"], shown["held"]) == ("tags", sorted(["a", *ours]))
    assert set(theirs) <= set(shown["candidates"][0]["value"])
    await li.resolve(conflict, ["a", "l00", "w00"], base=2, seen=1)
    assert sorted((await li.get("households", door))["tags"]) == ["a", "l00", "w00"]
    assert (await li.get("conflicts", conflict))["state"] == "closed"


async def test_what_fails_the_records_rule_only_together_is_a_conflict_on_each_arriving_field(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    person = NEW_ID()
    await li.apply("residents", person, fields={"household_id": str(door), "name": "王五"})
    await li.apply("residents", person, "update", 1, fields={"birth_date": "1990-01-01"})
    number = {"id_number": "11010519491231002X", "phone": "13800000000"}
    outcome = await wang.say("residents", person, "update", 1, fields=number)
    assert outcome["outcome"] == "conflicted"
    shown = [await li.get("conflicts", id) for id in outcome["conflicts"]]
    assert {c["field"]: c["candidates"][0]["value"] for c in shown} == number
    assert (await li.get("residents", person))["phone"] is None


async def test_what_breaks_the_records_rule_by_itself_is_refused_though_somebody_changed_another_field(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    person = NEW_ID()
    await li.apply("residents", person, fields={"household_id": str(door), "name": "王五"})
    await li.apply("residents", person, "update", 1, fields={"name": "王武"})
    wrong = {"id_number": "11010519491231002X", "birth_date": "1990-01-01"}
    outcome = await wang.say("residents", person, "update", 1, fields=wrong)
    assert (outcome["outcome"], outcome.get("problem", {}).get("code")) == ("refused", "invalid")


# After a restore


async def test_a_base_of_another_epoch_is_unknown_also_where_nothing_seen_came_with_it(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    await li.apply("households", door, "update", 1, fields={"door": "102"})
    outcome = await wang.say("households", door, "update", 2, epoch="another", fields={"door": "103"})
    assert outcome["outcome"] == "conflicted"
    assert (await li.get("households", door))["door"] == "102"


async def test_a_create_that_comes_after_others_made_the_record_again_empties_nothing_it_never_spoke_of(
    world: World, li: RawPhone, wang: RawPhone
) -> None:
    """The server lost the household. Wang saw it with more in it than Li once created it with, and syncs first."""
    id = NEW_ID()
    whole = household(world, floor=3, best_time="傍晚", note="有狗。", tags=["dog"])
    seen = [{"collection": "households", "record": str(id), "home": str(world.home), "rev": 4, "fields": whole}]
    outcome = await wang.say("households", id, "update", 4, epoch=None, seen=seen, fields={"use": "rented"})
    assert outcome["outcome"] == "applied", outcome
    create = await li.say("households", id, epoch=None, seen=[], fields=household(world))
    shown = await li.get("households", id)
    assert {name: shown[name] for name in whole} == whole
    assert shown["use"] == "rented"
    asked = [(await li.get("conflicts", one))["field"] for one in create["conflicts"]]
    assert (create["outcome"], asked) in [("applied", []), ("merged", [])]


# Nonsense


@pytest.mark.parametrize("base", [True, "2", None, []], ids=str)
async def test_a_resolution_with_a_senseless_base_holds_up_nothing(
    world: World, li: RawPhone, wang: RawPhone, door: UUID, base: Any
) -> None:
    conflict = await crossing_delete(li, wang, door)
    said = {"resolution": {"value": False, "base": base, "after": None}}
    [outcome, other] = await li.push(
        mutation(world, "conflicts", UUID(conflict), "update", 1, fields=said),
        mutation(world, "households", door, "update", 2, fields={"floor": 4}),
    )
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "mutation_invalid")
    assert other["outcome"] == "applied"


@pytest.mark.parametrize("of_record", ["nonsense", None, 7], ids=str)
async def test_a_conflict_that_was_seen_of_nothing_holds_up_nothing(
    world: World, li: RawPhone, door: UUID, of_record: Any
) -> None:
    lost = str(NEW_ID())
    fields = {"of_collection": "households", "of_record": of_record, "field": "door"}
    seen = [{"collection": "conflicts", "record": lost, "home": str(world.home), "fields": fields}]
    said = {"resolution": {"value": "102", "base": 1, "after": None}}
    [outcome, other] = await li.push(
        mutation(world, "conflicts", UUID(lost), "update", 1, fields=said, epoch=None, seen=seen),
        mutation(world, "households", door, "update", 1, fields={"floor": 4}),
    )
    assert outcome["outcome"] == "refused"
    assert other["outcome"] == "applied"


async def test_the_history_of_what_was_made_again_says_so(world: World, li: RawPhone) -> None:
    lost = NEW_ID()
    seen = [{"collection": "households", "record": str(lost), "home": str(world.home), "fields": household(world)}]
    await li.apply("households", lost, "update", 1, fields={"floor": 3}, seen=seen)
    assert [row["op"] for row in await li.history("households", lost)] == ["update", "recover"]
