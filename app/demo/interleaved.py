"""欧景苑 invented: one community of 8,536 residents, which three districts have on paper.

武昌 serves it all. Of its estates 新湘 administratively lies in 青山 and another in 洪山, each in a community there
that has nothing else. The size and the districts are the reported ones; the estates' shares, and the people, are not.
"""

from collections.abc import Iterator
from datetime import date
from itertools import islice, product

from app.demo.community import Community, Item, as_household, as_residents, list_codes
from app.demo.doors import Flat, household_tags, tag_people_by_age
from app.demo.families import ALL_HOUSEHOLDS, members_of, use_of
from app.demo.people import Dice, Registry, next_id
from sync.seams import seeded

COMMUNITY, RESIDENTS = "420106002021", 8_536
DISTRICTS = ("420106", "420107", "420111")
A_FEW = 150
"""Residents where the whole community isn't wanted: some in every estate."""
ESTATES = {
    "420106002021-oj": ("欧景苑小区", 18),
    "420106002021-xx": ("新湘小区", 7),
    "420106002021-hs": ("欧景东区", 6),
}
"""Name and buildings, by code."""
ON_PAPER = {"420106002021-xx": "420107-xx", "420106002021-hs": "420111-hs"}
"""Estate → the community in which it administratively lies, by code."""
UNITS, FLOORS, DOORS = range(1, 3), range(1, 25), range(1, 5)


def invent_interleaved(seed: int, today: date, qingshan: str, *, most: int = RESIDENTS) -> Community:
    """The community of `seed`, up to so many residents. 青山区 is there already: this is its id."""
    dice = seeded(f"interleaved {seed}")
    areas = _plant_areas(dice, qingshan)
    ids = {str(area["fields"]["code"]): area["record"] for area in areas}
    registry, households, residents = Registry(), list[Item](), list[Item]()
    for flat, unit in _flats(dice, areas):
        household = as_household(dice, flat, unit, ids[COMMUNITY])
        met = list(islice(as_residents(dice, flat, household, registry, today), most - len(residents)))
        households.append(household)
        residents += met
        if len(residents) == most:
            break
    codes = tuple(list_codes(dice, ids["420106"]))
    return Community(ids["420106"], ids[COMMUNITY], tuple(areas), codes, tuple(households), tuple(residents))


def _plant_areas(dice: Dice, qingshan: str) -> list[Item]:
    areas: list[Item] = []

    def plant(parent: str | None, level: str, name: str, code: str | None, sort: int = 1) -> str:
        fields: dict[str, object] = {"parent_id": parent, "level": level, "name": name, "code": code, "sort": sort}
        areas.append(Item(collection="areas", record=next_id(dice), home=None, fields=fields))
        return areas[-1]["record"]

    here, there = plant(None, "district", "武昌区", "420106"), plant(None, "district", "洪山区", "420111")
    plant(there, "community", "欧景东区（洪山）", "420111-hs")
    plant(qingshan, "community", "新湘（青山）", "420107-xx")
    community = plant(plant(here, "street", "街道（虚构）", "420106002"), "community", "欧景苑社区", COMMUNITY)
    for sort, (code, (name, buildings)) in enumerate(ESTATES.items(), start=1):
        estate = plant(community, "estate", name, code, sort)
        for number in range(1, buildings + 1):
            building = plant(estate, "building", f"{name}{number}栋", None, number)
            for unit in UNITS:
                plant(building, "unit", f"{unit}单元", None, unit)
    return areas


def _flats(dice: Dice, areas: list[Item]) -> Iterator[tuple[Flat, str]]:
    """Doors with people behind them, unit by unit of all estates in turn, as long as somebody asks."""
    kinds = [kind for kind, count in ALL_HOUSEHOLDS.items() for _ in range(count)]
    units = [area for area in areas if area["fields"]["level"] == "unit"]
    for floor, door, (number, unit) in product(FLOORS, DOORS, enumerate(units)):
        kind = dice.choice(kinds)
        flat = Flat(number // 2 + 1, number % 2 + 1, floor, f"{floor}{door:02d}", kind, use_of(dice, kind), [])
        flat.members += members_of(dice, kind)
        tag_people_by_age(flat)
        flat.tags |= household_tags(dice, flat)
        yield flat, unit["record"]
