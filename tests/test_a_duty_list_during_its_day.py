"""A duty list during its day: what is done goes off it, and the rest stays whose it was."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.duty import duty_list
from tests.duties import GRID, MONDAY, add_plan, listed, records, visited


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30), st.integers(0, 4), st.integers(0, 6))
def test_a_door_that_is_done_goes_off_the_list_and_moves_no_other(
    dice: random.Random, doors: int, members: int, per_day: int
) -> None:
    kept = records(members=members, per_day=per_day)
    for n in range(doors):
        people = [f"person{dice.randrange(5)}" for _ in range(dice.randrange(1, 3))]
        add_plan(kept, f"d{n:02}", risk=dice.randrange(1, 4), responsible=people, every_days=1, days="all_days")
    morning = listed(kept)
    done = {f"d{dice.randrange(doors):02}" for _ in range(dice.randrange(1, 6))}
    for door in done:
        visited(kept, door, MONDAY)
    later = listed(kept)
    assert (later["due"], later["done"]) == (morning["due"] - len(done), len(done))
    assert len(later["members"]) == len(morning["members"])
    for before, after in zip([*morning["members"], morning], [*later["members"], later], strict=True):
        name = "doors" if "person" in before else "undone"
        assert after[name] == [door for door in before[name] if door["household"] not in done]


def test_of_a_door_with_several_plans_only_what_nobody_kept_today_is_told() -> None:
    kept = records(doors=1, members=1, resident_id="wang", since=str(MONDAY - timedelta(days=3)), risk=3)
    add_plan(kept, "d000", resident_id="li")
    [door] = listed(kept)["members"][0]["doors"]
    assert (door["plans"], door["late"], door["risk"], listed(kept)["overdue"]) == (["p0", "p1"], 3, 3, 1)
    visited(kept, "d000", MONDAY, persons_met=["wang"])
    found = listed(kept)
    [door] = found["members"][0]["doors"]
    assert (door["plans"], door["late"], door["risk"]) == (["p1"], 0, 2)
    assert (found["due"], found["overdue"], found["done"]) == (1, 0, 1)


def test_what_people_of_two_groups_are_responsible_for_is_on_the_list_of_the_first_alone() -> None:
    kept = records(doors=1, members=2, responsible=["person0", "person1"])
    kept["members"]["m1"]["group"] = "second"
    assert [duty_list(kept, MONDAY, GRID, group)["due"] for group in ("first", "second")] == [1, 0]
