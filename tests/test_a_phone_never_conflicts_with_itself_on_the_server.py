"""Lost answers, edits in flight, chains of them: to the server they are one person's one train of thought.

Raw mutations as a phone would send them: base is inherited along a chain, `after` names the link before.
"""

from typing import Any
from uuid import UUID

import pytest

from tests.raw_phone import Answer, RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation


@pytest.fixture
async def me(world: World) -> RawPhone:
    return await phone_of(world, "me")


@pytest.fixture
async def other(world: World) -> RawPhone:
    return await phone_of(world, "other")


@pytest.fixture
async def door(world: World, other: RawPhone) -> UUID:
    """A household at rev 1."""
    id = NEW_ID()
    await other.apply("households", id, fields=household(world, note="一。二。三。", tags=["a", "b"], floor=1))
    return id


class Chain:
    """Edits of one record that a phone makes without having seen a page in between: one base for all."""

    def __init__(self, world: World, record: UUID, base: int, collection: str = "households") -> None:
        self.world, self.record, self.base, self.collection = world, record, base, collection
        self.after: str | None = None

    def edit(self, op: str = "update", **fields: Any) -> Answer:
        """The next link."""
        link = mutation(self.world, self.collection, self.record, op, self.base, after=self.after, fields=fields)
        self.after = link["id"]
        return link


def outcomes(answers: list[Answer]) -> list[str]:
    return [answer["outcome"] for answer in answers]


async def test_edit_after_edit_of_one_field_is_applied_in_one_push_or_in_several(
    world: World, me: RawPhone, door: UUID
) -> None:
    chain = Chain(world, door, 1)
    assert outcomes(await me.push(chain.edit(door="102"), chain.edit(door="103"))) == ["applied"] * 2
    assert outcomes(await me.push(chain.edit(door="104"))) == ["applied"]
    assert outcomes(await me.push(chain.edit(door="105"), chain.edit(door="106"))) == ["applied"] * 2
    shown = await me.get("households", door)
    assert (shown["door"], shown["rev"]) == ("106", 6)


async def test_a_create_and_what_was_edited_while_it_flew_is_no_conflict(world: World, me: RawPhone) -> None:
    id = NEW_ID()
    chain = Chain(world, id, 0)
    create = chain.edit("create", **household(world, note="一。"))
    assert outcomes(await me.push(create)) == ["applied"]
    edit = chain.edit(door="102", note="一。二。", tags={"add": ["a"]})
    assert outcomes(await me.push(edit)) == ["applied"]
    assert outcomes(await me.push(chain.edit(tags={"remove": ["a"]}, note="二。"))) == ["applied"]
    shown = await me.get("households", id)
    assert (shown["door"], shown["note"], shown["tags"]) == ("102", "二。", [])


async def test_a_lost_answer_and_the_next_edit_make_no_conflict(world: World, me: RawPhone, door: UUID) -> None:
    chain = Chain(world, door, 1)
    first = chain.edit(door="102")
    [lost] = await me.push(first)
    [again, then] = await me.push(first, chain.edit(door="103"))
    assert again == {**lost, "replayed": True}
    assert then["outcome"] == "applied"


async def test_a_lost_delete_or_a_delete_after_edits_in_flight_deletes(world: World, me: RawPhone, door: UUID) -> None:
    chain = Chain(world, door, 1)
    edit, delete = chain.edit(door="102"), chain.edit("delete")
    assert outcomes(await me.push(edit)) == ["applied"]
    [first], [again] = await me.push(delete), await me.push(delete)
    assert (first["outcome"], again) == ("applied", {**first, "replayed": True})


async def test_anothers_edit_of_another_field_in_between_disturbs_no_chain(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    chain = Chain(world, door, 1)
    assert outcomes(await me.push(chain.edit(door="102"))) == ["applied"]
    await other.apply("households", door, "update", 2, fields={"floor": 9})
    assert outcomes(await me.push(chain.edit(door="103"))) == ["applied"]
    shown = await me.get("households", door)
    assert (shown["door"], shown["floor"]) == ("103", 9)


async def test_anothers_edit_of_the_same_field_in_between_is_asked_about_once(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    chain = Chain(world, door, 1)
    await me.push(chain.edit(door="102"))
    await other.apply("households", door, "update", 2, fields={"door": "201"})
    [first] = await me.push(chain.edit(door="103"))
    [second] = await me.push(chain.edit(door="104"))
    assert first["outcome"] == second["outcome"] == "conflicted"
    assert first["conflicts"] == second["conflicts"]
    conflict = await me.get("conflicts", first["conflicts"][0])
    assert (conflict["base"], conflict["held"]) == ("102", "201")
    assert [c["value"] for c in conflict["candidates"]] == ["104"]


async def test_a_text_typed_on_while_somebody_else_writes_into_it_keeps_every_sentence_of_both(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    chain = Chain(world, door, 1)
    await me.push(chain.edit(note="一。二。三。四。"))
    await other.apply("households", door, "update", 2, fields={"note": "零。一。二。三。四。"})
    [merged] = await me.push(chain.edit(note="一。二。三。四。五。"))
    assert merged["outcome"] == "merged"
    [merged] = await me.push(chain.edit(note="一。三。四。五。六。"))
    assert merged["outcome"] == "merged"
    assert (await me.get("households", door))["note"] == "零。一。三。四。五。六。"


async def test_a_text_that_was_merged_at_its_first_sending_is_typed_on_without_doubling_anything(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    await other.apply("households", door, "update", 1, fields={"note": "零。一。二。三。"})
    chain = Chain(world, door, 1)
    links = [chain.edit(note="一。二。三。四。"), chain.edit(note="一。二。三。四。五。")]
    assert set(outcomes(await me.push(*links))) == {"merged"}
    assert (await me.get("households", door))["note"] == "零。一。二。三。四。五。"


async def test_a_text_typed_on_after_a_refused_edit_keeps_every_sentence_it_says(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    """The server never took the refused one: what it said of the text is no base to merge against."""
    await other.apply("households", door, "update", 1, fields={"note": "一。二。三。九。"})
    chain = Chain(world, door, 1)
    refused = chain.edit(note="一。二。新。三。", floor=10_000)
    assert outcomes(await me.push(refused)) == ["refused"]
    [outcome] = await me.push(chain.edit(note="甲。二。新。三。"))
    waiting = [c for id in outcome["conflicts"] for c in (await me.get("conflicts", id))["candidates"]]
    texts = [(await me.get("households", door))["note"], *(c["value"] for c in waiting)]
    assert any("新。" in text for text in texts), texts
    assert any("甲。" in text for text in texts), texts


async def test_a_set_added_to_and_removed_from_along_a_chain_ends_as_its_person_left_it(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    chain = Chain(world, door, 1)
    await me.push(chain.edit(tags={"add": ["c"]}))
    await other.apply("households", door, "update", 2, fields={"tags": {"add": ["d"]}})
    await me.push(chain.edit(tags={"remove": ["c", "a"]}))
    await me.push(chain.edit(tags={"add": ["a"]}))
    assert sorted((await me.get("households", door))["tags"]) == ["a", "b", "d"]


async def test_a_conflict_of_a_chain_stays_one_candidate_however_often_its_value_is_changed(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    await other.apply("households", door, "update", 1, fields={"door": "201"})
    chain = Chain(world, door, 1)
    answers = [(await me.push(chain.edit(door=f"30{n}")))[0] for n in range(4)]
    [conflict] = {id for answer in answers for id in answer["conflicts"]}
    candidates = (await me.get("conflicts", conflict))["candidates"]
    assert [c["value"] for c in candidates] == ["303"]


async def test_two_phones_of_one_person_are_two_trains_of_thought(world: World, me: RawPhone, door: UUID) -> None:
    second = RawPhone(world, await world.phone_token("me"))
    assert outcomes(await me.push(Chain(world, door, 1).edit(door="102"))) == ["applied"]
    assert outcomes(await second.push(Chain(world, door, 1).edit(door="103"))) == ["conflicted"]


# Resolutions are links too


async def an_open_conflict(me: RawPhone, other: RawPhone, door: UUID) -> str:
    """On `door`, seen by me with the record at rev 2."""
    await other.apply("households", door, "update", 1, fields={"door": "102"})
    outcome = await me.say("households", door, "update", 1, fields={"door": "103"})
    return str(outcome["conflicts"][0])


def resolution(world: World, conflict: str, value: Any, base: int, after: str | None, seen: int = 1) -> Answer:
    said = {"resolution": {"value": value, "base": base, "after": after}}
    return mutation(world, "conflicts", UUID(conflict), "update", seen, fields=said)


async def test_a_resolution_after_ones_own_edit_of_the_field_is_no_conflict(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    conflict = await an_open_conflict(me, other, door)
    chain = Chain(world, door, 2)
    await me.push(chain.edit(door="104"))
    [outcome] = await me.push(resolution(world, conflict, "103", 2, chain.after))
    assert outcome["outcome"] == "applied"
    assert (await me.get("households", door))["door"] == "103"
    assert (await me.get("conflicts", conflict))["state"] == "closed"


async def test_an_edit_after_ones_own_resolution_is_no_conflict(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    conflict = await an_open_conflict(me, other, door)
    resolves = resolution(world, conflict, "103", 2, None)
    assert outcomes(await me.push(resolves)) == ["applied"]
    edit = mutation(world, "households", door, "update", 2, after=resolves["id"], fields={"door": "105"})
    assert outcomes(await me.push(edit)) == ["applied"]
    assert (await me.get("households", door))["door"] == "105"


@pytest.mark.parametrize("pushes", ["one push", "three pushes"])
@pytest.mark.parametrize("value", ["103", "102"], ids=["the candidate", "the held one"])
async def test_edit_resolution_and_edit_are_one_chain(
    world: World, me: RawPhone, other: RawPhone, door: UUID, pushes: str, value: str
) -> None:
    """What I set before I resolved is mine also after it."""
    conflict = await an_open_conflict(me, other, door)
    chain = Chain(world, door, 2)
    first = chain.edit(floor=3)
    resolves = resolution(world, conflict, value, 2, chain.after)
    chain.after = resolves["id"]
    then = chain.edit(floor=4)
    if pushes == "one push":
        answers = await me.push(first, resolves, then)
    else:
        answers = [(await me.push(link))[0] for link in (first, resolves, then)]
    assert outcomes([answers[0], answers[2]]) == ["applied", "applied"]
    shown = await me.get("households", door)
    assert (shown["floor"], shown["door"]) == (4, value)
    assert answers[1]["outcome"] == "applied"


async def test_a_delete_after_ones_own_edit_and_resolution_deletes(
    world: World, me: RawPhone, other: RawPhone, door: UUID
) -> None:
    conflict = await an_open_conflict(me, other, door)
    chain = Chain(world, door, 2)
    await me.push(chain.edit(floor=3))
    resolves = resolution(world, conflict, "103", 2, chain.after)
    await me.push(resolves)
    chain.after = resolves["id"]
    assert outcomes(await me.push(chain.edit("delete"))) == ["applied"]


async def test_a_resolution_of_deleted_is_a_link_too(world: World, me: RawPhone, other: RawPhone, door: UUID) -> None:
    await other.apply("households", door, "update", 1, fields={"floor": 3})
    [asked] = await me.push(Chain(world, door, 1).edit("delete"))
    resolves = resolution(world, asked["conflicts"][0], False, 2, None)
    assert outcomes(await me.push(resolves)) == ["applied"]
    chain = Chain(world, door, 2)
    chain.after = resolves["id"]
    assert outcomes(await me.push(chain.edit(floor=4), chain.edit("delete"))) == ["applied"] * 2
