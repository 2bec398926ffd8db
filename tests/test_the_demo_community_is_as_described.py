"""The invented community has the size and the people the field reported, and its records hold together."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from uuid import UUID

import pytest
from stdnum.cn import ric

from app.demo.community import Community, Item, invent_community
from app.demo.interleaved import A_FEW, invent_interleaved

TODAY = date(2026, 11, 21)
SEED = 18


@pytest.fixture(scope="module")
def community() -> Community:
    return invent_community(SEED, TODAY)


def tag_counts(items: Iterable[Item]) -> Counter[str]:
    return Counter(tag for item in items for tag in tags_of(item))


def tags_of(item: Item) -> list[str]:
    tags = item["fields"]["tags"]
    assert isinstance(tags, list)
    return tags


def age_of(resident: Item, today: date = TODAY) -> int:
    born = date.fromisoformat(str(resident["fields"]["birth_date"]))
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def members_by_household(community: Community) -> dict[str, list[Item]]:
    members: dict[str, list[Item]] = {item["record"]: [] for item in community.households}
    for resident in community.residents:
        members[str(resident["fields"]["household_id"])].append(resident)
    return members


def in_the_notebook(community: Community) -> tuple[list[Item], list[Item]]:
    """The households and residents of the first grid, whose two buildings are the notebook's."""
    below = {community.areas_of_level("grid")[0]["record"]}
    for area in community.areas:
        if area["fields"]["parent_id"] in below:
            below.add(area["record"])
    households = [item for item in community.households if item["fields"]["area_id"] in below]
    ids = {item["record"] for item in households}
    return households, [item for item in community.residents if item["fields"]["household_id"] in ids]


def test_another_community_lies_in_three_districts_on_paper() -> None:
    other = invent_interleaved(SEED, TODAY, "019d0000-0000-7000-8000-000000000000")
    levels = Counter(area["fields"]["level"] for area in other.areas)
    assert (levels["estate"], levels["community"], levels["district"]) == (3, 3, 2)
    assert len(other.residents) == 8_536
    units = {area["record"]: area["fields"]["parent_id"] for area in other.areas}
    estates = Counter(units[str(units[str(door["fields"]["area_id"])])] for door in other.households)
    assert {*estates} == {area["record"] for area in other.areas_of_level("estate")}
    few = invent_interleaved(SEED, TODAY, other.root_id, most=A_FEW)
    assert {units[str(units[str(door["fields"]["area_id"])])] for door in few.households} == {*estates}


def test_it_has_the_reported_size(community: Community) -> None:
    levels = Counter(area["fields"]["level"] for area in community.areas)
    assert levels.pop("unit") > 19
    assert levels == {"district": 1, "street": 1, "community": 1, "grid": 15, "building": 19}
    assert (len(community.households), len(community.residents)) == (5_235, 8_234)


def test_its_totals_are_the_reported_ones(community: Community) -> None:
    households, residents = tag_counts(community.households), tag_counts(community.residents)
    assert (households["living_alone"], households["empty_nest"]) == (669, 612)
    assert (residents["aged_60"], residents["low_income"]) == (2_024, 823)
    assert sum(1 for item in community.residents if {"disabled", "mentally_ill"} & set(tags_of(item))) == 212


def test_the_first_grid_is_the_grid_secretarys_notebook(community: Community) -> None:
    households, residents = in_the_notebook(community)
    assert len(residents) == 554
    of_households, of_residents = tag_counts(households), tag_counts(residents)
    assert (of_households["living_alone"], of_households["empty_nest"]) == (48, 64)
    assert (of_residents["ill"], of_residents["disabled"]) == (31, 9)


def test_one_seed_gives_one_community(community: Community) -> None:
    assert invent_community(SEED, TODAY) == community
    other = invent_community(SEED + 1, TODAY)
    assert {item["record"] for item in other}.isdisjoint(item["record"] for item in community)
    assert (len(other.households), len(other.residents)) == (5_235, 8_234)


@pytest.mark.parametrize("another_day", [date(2028, 2, 29), date(2027, 1, 1), date(2026, 12, 31)])
def test_on_another_day_the_same_people_are_as_old(community: Community, another_day: date) -> None:
    later = invent_community(SEED, another_day)
    assert [item["record"] for item in later] == [item["record"] for item in community]
    assert [age_of(item, another_day) for item in later.residents] == [age_of(item) for item in community.residents]


def test_no_id_is_given_twice_and_all_are_uuids(community: Community) -> None:
    ids = [item["record"] for item in community]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(record)) == record for record in ids)


def test_whatever_a_record_refers_to_comes_before_it(community: Community) -> None:
    seen: dict[str, str] = {}
    refers_to = {"parent_id": "areas", "area_id": "areas", "household_id": "households"}
    for item in community:
        for name, collection in refers_to.items():
            if (target := item["fields"].get(name)) is not None:
                assert seen[str(target)] == collection
        # Codes are of the root; an area's home follows from its place.
        homes = {"areas": None, "codes": community.root_id}
        assert item["home"] == homes.get(item["collection"], community.community_id)
        seen[item["record"]] = item["collection"]
    assert [a["record"] for a in community.areas if a["fields"]["parent_id"] is None] == [community.root_id]


def test_every_code_in_use_is_in_its_list(community: Community) -> None:
    known: dict[object, set[object]] = {}
    for item in community.codes:
        known.setdefault(item["fields"]["list"], set()).add(item["fields"]["code"])
    assert len(known["method"]) == 18
    assert {item["fields"]["use"] for item in community.households} == known["use"]
    assert {item["fields"]["relation"] for item in community.residents} <= known["relation"]
    assert {*tag_counts(community.households), *tag_counts(community.residents)} == known["tag"]


def test_only_four_ways_to_knock_are_named(community: Community) -> None:
    names = [str(item["fields"]["name"]) for item in community.codes if item["fields"]["list"] == "method"]
    assert names[:4] == ["真情感化", "见缝插针", "巧借机遇", "以帮促进"]
    assert all("待填" in name for name in names[4:])


def test_identity_numbers_are_valid_and_agree_with_the_person(community: Community) -> None:
    numbered = [item["fields"] for item in community.residents if item["fields"]["id_number"] is not None]
    assert 7_000 < len(numbered) < 8_234
    assert len({fields["id_number"] for fields in numbered}) == len(numbered)
    for fields in numbered:
        number = ric.validate(str(fields["id_number"]))
        assert number.startswith("42")
        assert ric.get_birth_date(number).isoformat() == fields["birth_date"]
        assert fields["sex"] == ("male" if int(number[16]) % 2 else "female")


def test_telephones_are_of_a_range_nobody_has(community: Community) -> None:
    phones = [str(f["phone"]) for item in community.residents if (f := item["fields"])["phone"] is not None]
    assert all(len(phone) == 11 and phone.isdigit() and phone.startswith("154") for phone in phones)
    assert not any(item["fields"]["phone"] for item in community.residents if age_of(item) < 12)


def test_tags_are_sorted_and_true_of_the_people(community: Community) -> None:
    for item in (*community.households, *community.residents):
        assert tags_of(item) == sorted(set(tags_of(item)))
    for resident in community.residents:
        assert ("aged_60" in tags_of(resident)) == (age_of(resident) >= 60)
        assert ("aged_80" in tags_of(resident)) == (age_of(resident) >= 80)
    members = members_by_household(community)
    for household in community.households:
        ages = [age_of(member) for member in members[household["record"]]]
        assert ("living_alone" in tags_of(household)) == (len(ages) == 1 and min(ages) >= 60)
        assert ("empty_nest" in tags_of(household)) == (len(ages) == 2 and min(ages) >= 60)


def test_nobody_lives_in_a_vacant_flat(community: Community) -> None:
    members = members_by_household(community)
    for household in community.households:
        assert bool(members[household["record"]]) == (household["fields"]["use"] not in ("vacant", "shop"))


def test_no_two_flats_of_a_unit_have_one_door(community: Community) -> None:
    doors = [(item["fields"]["area_id"], item["fields"]["door"]) for item in community.households]
    assert len(set(doors)) == len(doors)


def test_notes_are_made_of_at_least_a_thousand_sentences(community: Community) -> None:
    notes = [str(item["fields"]["note"]) for item in (*community.households, *community.residents)]
    assert max(map(len, notes)) <= 4_000
    assert not any("{" in note for note in notes)
    assert len({sentence for note in notes for sentence in note.split("。") if sentence}) >= 1_000
