"""青和居 invented: the whole of a community, as records ready to be pushed to an empty server.

Its size is the reported one: 15 grids, 19 buildings, 5,235 flats, 8,234 residents. The people are not:
see `app.demo.people`. One seed and one day always give the same records, ids included, so that a measurement
can be repeated and a bug report can name a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from app.demo.code_lists import LISTS
from app.demo.doors import Flat, flats_of, invent_flats
from app.demo.people import Dice, Registry, birth_date, chance, full_name, next_id, phone_number
from app.demo.remarks import best_time, remark_on_flat, remark_on_person
from sync.seams import seeded

DISTRICT, STREET, COMMUNITY = "420107", "420107005", "420107005008"
GRIDS = 15
GRIDS_OF_TWO_BUILDINGS = (1, 5, 9, 13)


class Item(TypedDict):
    """A record as it will be pushed: `home` is None for what belongs to no community, the areas."""

    collection: str
    record: str
    home: str | None
    fields: dict[str, object]


@dataclass(frozen=True)
class Community:
    """Records in the order in which they can be created: whatever one refers to comes before it."""

    root_id: str
    community_id: str
    areas: tuple[Item, ...]
    codes: tuple[Item, ...]
    households: tuple[Item, ...]
    residents: tuple[Item, ...]

    def __iter__(self) -> Iterator[Item]:
        for part in (self.areas, self.codes, self.households, self.residents):
            yield from part

    def areas_of_level(self, level: str) -> tuple[Item, ...]:
        return tuple(area for area in self.areas if area["fields"]["level"] == level)


def invent_community(seed: int, today: date) -> Community:
    """The community of `seed`, its people as old as they are on `today`."""
    dice = seeded(seed)
    areas, unit_ids = plant_areas(dice)
    root_id, community_id = areas[0]["record"], areas[2]["record"]
    codes = tuple(list_codes(dice, root_id))
    registry = Registry()
    households: list[Item] = []
    residents: list[Item] = []
    for flat in invent_flats(dice):
        household = as_household(dice, flat, unit_ids[flat.building, flat.unit], community_id)
        households.append(household)
        residents.extend(as_residents(dice, flat, household, registry, today))
    return Community(root_id, community_id, tuple(areas), codes, tuple(households), tuple(residents))


def plant_areas(dice: Dice) -> tuple[list[Item], dict[tuple[int, int], str]]:
    """The tree from the district down, and the id of each (building, unit)."""
    areas: list[Item] = []

    def plant(parent_id: str | None, level: str, name: str, code: str | None, sort: int) -> str:
        fields: dict[str, object] = {"parent_id": parent_id, "level": level, "name": name}
        fields |= {"code": code, "sort": sort}
        areas.append(Item(collection="areas", record=next_id(dice), home=None, fields=fields))
        return areas[-1]["record"]

    district = plant(None, "district", "青山区", DISTRICT, 1)
    areas[0]["fields"] |= {"feed_level": "building", "home_level": "community"}
    street = plant(district, "street", "工人村街道", STREET, 1)
    community = plant(street, "community", "青和居社区", COMMUNITY, 1)
    grids = [plant(community, "grid", f"第{n}网格", f"{COMMUNITY}{n:03d}", n) for n in range(1, GRIDS + 1)]
    grid_of_building = [n for n in range(1, GRIDS + 1) for _ in range(1 + (n in GRIDS_OF_TWO_BUILDINGS))]
    buildings = {
        number: plant(grids[grid - 1], "building", f"{number}栋", None, number)
        for number, grid in enumerate(grid_of_building, start=1)
    }
    units = {
        (building, unit): plant(building_id, "unit", f"{unit}单元", None, unit)
        for building, building_id in buildings.items()
        for unit in sorted({unit for unit, _, _ in flats_of(building)})
    }
    return areas, units


def list_codes(dice: Dice, root_id: str) -> Iterator[Item]:
    """Every list that the whole tree starts with, in version 1."""
    for name, entries in LISTS.items():
        for sort, (code, zh, en) in enumerate(entries, start=1):
            fields: dict[str, object] = {
                "area_id": root_id,
                "list": name,
                "code": code,
                "name": zh,
                "name_en": en,
                "version": 1,
                "sort": sort,
            }
            yield Item(collection="codes", record=next_id(dice), home=root_id, fields=fields)


def as_household(dice: Dice, flat: Flat, unit_id: str, community_id: str) -> Item:
    fields: dict[str, object] = {
        "area_id": unit_id,
        "door": flat.door,
        "floor": flat.floor,
        "use": flat.use,
        "tags": sorted(flat.tags),
        "best_time": best_time(dice, flat),
        "external_id": f"WG-{flat.building:02d}-{flat.unit}-{flat.door}" if chance(dice, 70) else None,
        "note": remark_on_flat(dice, flat),
    }
    return Item(collection="households", record=next_id(dice), home=community_id, fields=fields)


def as_residents(dice: Dice, flat: Flat, household: Item, registry: Registry, today: date) -> Iterator[Item]:
    """Those met at the door only, and not registered here, seldom showed their identity card."""
    for person in flat.members:
        born = birth_date(dice, person.age, today)
        number = registry.next_number(dice, born, person.sex)
        registered_here = chance(dice, 86 if flat.use == "self_occupied" else 9)
        fields: dict[str, object] = {
            "household_id": household["record"],
            "name": full_name(dice, person),
            "sex": person.sex,
            "birth_date": born.isoformat(),
            "phone": phone_number(dice, person.age),
            "id_number": number if chance(dice, 97 if registered_here else 72) else None,
            "relation": person.relation,
            "registered_here": registered_here,
            "tags": sorted(person.tags),
            "note": remark_on_person(dice, person),
        }
        yield Item(collection="residents", record=next_id(dice), home=household["home"], fields=fields)
