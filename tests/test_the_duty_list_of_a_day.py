"""What is due at which door follows from plans and visits alone, the same for whoever has the same records."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.canonical import canonical_json
from sync.duty import duty_list
from tests.duties import GRID, MONDAY, UNIT, WORKDAYS, add_plan, doors_of, listed, records, visited

# What is due


def test_a_door_is_due_until_somebody_was_met_and_again_after_the_plans_time() -> None:
    kept = records(doors=1, members=1)
    assert doors_of(listed(kept)["members"][0]) == ["d000"]
    visited(kept, "d000", MONDAY)
    assert (listed(kept)["due"], listed(kept)["done"]) == (0, 1)
    assert [listed(kept, day)["due"] for day in WORKDAYS] == [0] * 5
    assert listed(kept, MONDAY + timedelta(days=7))["due"] == 1


def test_what_was_not_done_is_there_the_next_day_and_says_how_late_it_is() -> None:
    kept = records(doors=1, members=1)
    [door] = listed(kept, MONDAY + timedelta(days=2))["members"][0]["doors"]
    assert (door["due"], door["late"]) == ("2026-11-23", 2)
    assert listed(kept, MONDAY + timedelta(days=2))["overdue"] == 1


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"channel": "phone"}, True),
        ({"channel": "window"}, False),
        ({"outcome": "nobody_home"}, False),
        ({"outcome": "refused"}, False),
        ({"household_id": "another"}, False),
    ],
)
def test_only_being_met_in_a_way_that_counts_is_a_contact(fields: Any, counts: bool) -> None:
    kept = records(doors=1)
    visited(kept, "d000", MONDAY, **fields)
    assert listed(kept)["due"] == (0 if counts else 1)


def test_a_plan_that_names_no_ways_is_kept_by_any() -> None:
    kept = records(doors=1, channels=[])
    visited(kept, "d000", MONDAY, channel="window")
    assert listed(kept)["due"] == 0


def test_a_plan_for_one_person_is_kept_by_meeting_them_and_not_their_neighbour() -> None:
    kept = records(doors=1, resident_id="wang")
    visited(kept, "d000", MONDAY, persons_met=["li"])
    assert listed(kept)["due"] == 1
    visited(kept, "d000", MONDAY, persons_met=["li", "wang"])
    assert listed(kept)["due"] == 0


def test_a_visit_of_tomorrow_counts_tomorrow() -> None:
    kept = records(doors=1)
    visited(kept, "d000", MONDAY + timedelta(days=1))
    assert listed(kept)["due"] == 1


@pytest.mark.parametrize("said", ["2026-11-23T15:00:00Z", "2036-11-23T08:00:00Z", None, "9999-12-31T23:59:59Z", "soon"])
def test_a_visit_that_no_server_has_counted_is_of_its_phones_day(said: str | None) -> None:
    kept = records(doors=1, every_days=1)
    visited(kept, "d000", None, visited_at=said)
    assert listed(kept)["due"] == 0
    assert listed(kept, MONDAY + timedelta(days=1))["due"] == (1 if said == "2026-11-23T15:00:00Z" else 0)


def test_the_operators_hour_says_to_which_day_such_a_visit_belongs() -> None:
    kept = records(doors=1, every_days=1)
    visited(kept, "d000", None, visited_at="2026-11-24T05:30:00+08:00")
    tuesday = MONDAY + timedelta(days=1)
    assert [duty_list(kept, tuesday, GRID, begins=begins)["due"] for begins in (4, 6)] == [0, 1]


def test_before_a_plan_begins_nothing_of_it_is_due_however_long_ago_the_last_visit_was() -> None:
    for days in ("working_days", "all_days"):
        kept = records(doors=1, members=1, days=days)
        visited(kept, "d000", MONDAY - timedelta(days=150))
        [door] = listed(kept)["members"][0]["doors"]
        assert (door["due"], door["late"]) == ("2026-11-23", 0)


def test_several_plans_of_a_door_are_one_knock_ranked_by_the_most_urgent() -> None:
    kept = records(doors=2, members=1)
    add_plan(kept, "d001", risk=3, responsible=["person1"], since=str(MONDAY - timedelta(days=3)))
    first, second = listed(kept)["members"][0]["doors"]
    assert (first["household"], first["plans"], first["risk"], first["late"]) == ("d001", ["p1", "p2"], 3, 3)
    assert first["responsible"] == ["person0", "person1"]
    assert second["household"] == "d000"


@pytest.mark.parametrize(("since", "until", "due"), [(0, None, 1), (1, None, 0), (-30, 0, 1), (-30, -1, 0)])
def test_a_plan_is_in_force_from_its_first_day_to_its_last(since: int, until: int | None, due: int) -> None:
    end = None if until is None else str(MONDAY + timedelta(days=until))
    kept = records(doors=1, since=str(MONDAY + timedelta(days=since)), until=end)
    assert listed(kept)["due"] == due


def test_of_a_plan_that_is_closed_nothing_is_due() -> None:
    assert listed(records(doors=1, closed="moved_away"))["due"] == 0


def test_what_lies_elsewhere_or_is_gone_is_not_listed() -> None:
    kept = records(doors=2)
    kept["households"]["d000"]["area_id"] = "elsewhere"
    del kept["households"]["d001"]
    assert listed(kept)["due"] == 0


def test_areas_that_lie_in_each_other_end_no_walk() -> None:
    kept = records(doors=1, members=1)
    kept["areas"][GRID]["parent_id"] = UNIT
    assert doors_of(listed(kept)["members"][0]) == ["d000"]


def test_isolation_is_daily_and_knows_no_weekend() -> None:
    kept = records(doors=1, members=1, every_days=1, days="all_days")
    add_plan(kept, "d001", every_days=1)
    saturday = MONDAY + timedelta(days=5)
    for day in WORKDAYS:
        visited(kept, "d000", day)
        visited(kept, "d001", day)
    assert doors_of(listed(kept, saturday)["members"][0]) == ["d000"]
    assert not listed(kept, saturday)["worked"]
    assert listed(kept, MONDAY + timedelta(days=7))["due"] == 2


# Whose it is


def test_the_walk_goes_unit_by_unit_floor_by_floor_door_by_door() -> None:
    kept = records(members=1)
    kept["areas"] |= {"later": {"parent_id": GRID, "name": "a", "sort": 1}, "sooner": {"parent_id": GRID, "name": "b"}}
    walk = [("sooner", 1, "2"), ("sooner", 1, "10"), ("sooner", 2, "3"), ("sooner", 10, "1"), ("later", 1, "1")]
    for n, (area, floor, door) in enumerate(random.Random(7).sample(walk, len(walk))):
        kept["households"][f"h{n}"] = {"area_id": area, "floor": floor, "door": door}
        add_plan(kept, f"h{n}")
    ranked = [kept["households"][door] for door in doors_of(listed(kept)["members"][0])]
    assert [(door["area_id"], door["floor"], door["door"]) for door in ranked] == walk


def test_112_doors_a_week_are_more_than_one_can_do_and_the_list_says_who_could() -> None:
    # 112 in five days are 22.4 a day: one person has room for ten.
    alone = listed(records(doors=112, members=1))
    assert (len(doors_of(alone["members"][0])), len(alone["undone"]), alone["due"]) == (10, 102, 112)
    kept = records(doors=112, members=8)
    whole = listed(kept)
    assert [len(share["doors"]) for share in whole["members"]] == [10] * 8
    assert len(whole["undone"]) == 32
    assert [door.get("shared", False) for share in whole["members"] for door in share["doors"]] == [
        share["person"] != "person0" for share in whole["members"] for _ in share["doors"]
    ]
    # Shared out like this, the first week reaches every door, and from then on 22 or 23 a day are due.
    a_day = []
    for week in range(4):
        for day in (one + timedelta(weeks=week) for one in WORKDAYS):
            today = listed(kept, day)
            wanted = [door["household"] for share in today["members"] for door in share["doors"]]
            share = wanted if week else wanted[:23]
            for door in share:
                visited(kept, door, day)
            a_day += [len(share)] if week else []
    assert max(a_day) == 23
    assert sum(a_day) == 3 * 112


def test_whose_it_is_comes_first_and_only_what_they_have_no_room_for_is_shared() -> None:
    kept = records(doors=3, members=2, per_day=2)
    add_plan(kept, "d900", responsible=["person1"])
    first, second = listed(kept)["members"]
    assert doors_of(first) == ["d000", "d001"]
    assert [(d["household"], d.get("shared")) for d in second["doors"]] == [("d002", True), ("d900", None)]


def test_members_share_while_they_are_members_of_this_group() -> None:
    kept = records(doors=40, members=4)
    kept["members"]["m1"]["until"] = str(MONDAY - timedelta(days=1))
    kept["members"]["m2"]["since"] = str(MONDAY + timedelta(days=1))
    kept["members"]["m3"]["group"] = "second"
    add_plan(kept, "d900", responsible=["person3"])
    add_plan(kept, "d901", responsible=["nobody here"])
    [first] = listed(kept)["members"]
    assert (first["person"], listed(kept)["due"]) == ("person0", 41)
    [second] = duty_list(kept, MONDAY, GRID, "second")["members"]  # type: ignore[misc]
    assert doors_of(second) == ["d900"], "of two groups none knocks at the other's doors"


def test_without_a_group_each_does_their_own() -> None:
    kept = records(doors=1)
    add_plan(kept, "d001", responsible=["person2"])
    assert [(share["person"], doors_of(share)) for share in listed(kept)["members"]] == [
        ("person0", ["d000"]),
        ("person2", ["d001"]),
    ]


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 30), st.integers(0, 4), st.integers(0, 6))
def test_every_door_that_is_due_is_somebodys_or_undone_whatever_the_order_of_the_records(
    dice: random.Random, doors: int, members: int, per_day: int
) -> None:
    kept = records(members=members, per_day=per_day)
    for _ in range(doors):
        people = [f"person{dice.randrange(5)}" for _ in range(dice.randrange(1, 3))]
        since = MONDAY - timedelta(days=dice.randrange(30))
        add_plan(kept, f"d{dice.randrange(20)}", risk=dice.randrange(1, 4), responsible=people, since=str(since))
        if dice.random() < 0.5:
            visited(kept, f"d{dice.randrange(20)}", MONDAY - timedelta(days=1 + dice.randrange(12)))
    found = listed(kept)
    shares = found["members"]
    given_out = [door for share in shares for door in doors_of(share)] + [door["household"] for door in found["undone"]]
    assert len(given_out) == len(set(given_out)) == found["due"]
    if members:
        assert all(len(share["doors"]) <= per_day for share in shares)
        assert not found["undone"] or all(len(share["doors"]) == per_day for share in shares)
    order = [(not d["late"], -d["risk"]) for share in shares for d in share["doors"]]
    starts = [len(share["doors"]) for share in shares]
    for start, many in zip([sum(starts[:n]) for n in range(len(starts))], starts, strict=True):
        assert order[start : start + many] == sorted(order[start : start + many])
    shuffled = {name: dict(dice.sample([*kind.items()], len(kind))) for name, kind in kept.items()}
    assert canonical_json(listed(shuffled)) == canonical_json(found)


def test_the_list_of_a_grid_of_554_residents_fits_on_a_page() -> None:
    kept = records(doors=554, members=8)
    assert len(canonical_json(listed(kept))) < 256 * 1024
