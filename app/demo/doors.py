"""The 19 buildings, their 5,235 doors, and the tags of the households and people behind them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from app.demo.families import NOTEBOOK_HOUSEHOLDS, OTHER_HOUSEHOLDS, members_of, use_of
from app.demo.people import Dice, Person, chance

Shape = tuple[int, int, int]
"""Units of a building, floors, doors on a floor of one unit."""

SLAB, TOWER, BLOCK, TALL, NOTEBOOK = (3, 32, 3), (2, 24, 6), (4, 18, 4), (3, 33, 3), (3, 13, 4)

BUILDINGS: tuple[Shape, ...] = (
    *(NOTEBOOK, NOTEBOOK),
    *(SLAB, TOWER, BLOCK, TALL, SLAB, TOWER, BLOCK, TALL, SLAB, TOWER, BLOCK, TALL, SLAB, TOWER, BLOCK),
    *(SLAB, BLOCK),
)
NOTEBOOK_BUILDINGS = (1, 2)


@dataclass
class Flat:
    """A door and who lives behind it; `kind` is a key of `app.demo.families.ALL_HOUSEHOLDS`."""

    building: int
    unit: int
    floor: int
    door: str
    kind: str
    use: str
    members: list[Person]
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Quota:
    """So many people bear `tag`, in the notebook's two buildings and elsewhere.

    `weight` says how likely a person is to be drawn, in whole chances; 0 is never.
    """

    tag: str
    in_notebook: int
    elsewhere: int
    weight: Callable[[Person], int]


def weight_of_illness(person: Person) -> int:
    return 8 if person.is_old else int(person.age >= 35)


def weight_of_disability(person: Person) -> int:
    return 3 if person.is_old else int(person.age >= 6)


def weight_of_mental_illness(person: Person) -> int:
    """Never a disabled person, so that the reported 212 "disabled or mentally ill" are a plain sum."""
    return int(18 <= person.age <= 75 and "disabled" not in person.tags and person.relation != "tenant")


def weight_of_poverty(person: Person) -> int:
    if person.age < 18:
        return 0
    return 5 if person.is_old or person.tags & {"ill", "disabled", "mentally_ill"} else 1


def weight_of_service_in_arms(person: Person) -> int:
    return (4 if person.sex == "male" else 1) * (1 + person.is_old) if person.age >= 22 else 0


def weight_of_membership(person: Person) -> int:
    return (3 if "veteran" in person.tags or person.is_old else 1) if person.age >= 20 else 0


def weight_of_pregnancy(person: Person) -> int:
    married = person.relation == "spouse"
    return (4 if married else 1) if person.sex == "female" and 22 <= person.age <= 40 else 0


def weight_of_volunteering(person: Person) -> int:
    hindered = person.age < 16 or person.age > 75 or person.tags & {"ill", "mentally_ill", "pregnant"}
    return 0 if hindered else 1 + 3 * ("party_member" in person.tags)


QUOTAS = (
    Quota("ill", 31, 389, weight_of_illness),
    Quota("disabled", 9, 151, weight_of_disability),
    Quota("mentally_ill", 3, 49, weight_of_mental_illness),
    Quota("low_income", 55, 768, weight_of_poverty),
    Quota("veteran", 13, 173, weight_of_service_in_arms),
    Quota("party_member", 42, 568, weight_of_membership),
    Quota("pregnant", 3, 37, weight_of_pregnancy),
    Quota("volunteer", 20, 279, weight_of_volunteering),
)
"""In this order: a later draw looks at the tags of an earlier one."""


def invent_flats(dice: Dice) -> list[Flat]:
    """Every flat of the community by building, unit and door, its people in it and all tags given."""
    kinds_in_notebook = {True: shuffled(dice, NOTEBOOK_HOUSEHOLDS), False: shuffled(dice, OTHER_HOUSEHOLDS)}
    flats = [
        settle(dice, building, place, kinds_in_notebook[building in NOTEBOOK_BUILDINGS].pop())
        for building in range(1, len(BUILDINGS) + 1)
        for place in flats_of(building)
    ]
    for quota in QUOTAS:
        draw(dice, quota, quota.in_notebook, people_of(flats, in_notebook=True))
        draw(dice, quota, quota.elsewhere, people_of(flats, in_notebook=False))
    for flat in flats:
        tag_people_by_age(flat)
        flat.tags |= household_tags(dice, flat)
    return flats


def flats_of(building: int) -> list[tuple[int, int, str]]:
    """Unit, floor and door number of each flat of a building, in the order of a walk through it."""
    units, floors, doors = BUILDINGS[building - 1]
    return [
        (unit, floor, f"{floor}{door:02d}")
        for unit in range(1, units + 1)
        for floor in range(1, floors + 1)
        for door in range(1, doors + 1)
    ]


def settle(dice: Dice, building: int, place: tuple[int, int, str], kind: str) -> Flat:
    unit, floor, door = place
    return Flat(building, unit, floor, door, kind, use_of(dice, kind), members_of(dice, kind))


def shuffled(dice: Dice, counts: dict[str, int]) -> list[str]:
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    dice.shuffle(kinds)
    return kinds


def people_of(flats: Iterable[Flat], *, in_notebook: bool) -> list[Person]:
    return [person for flat in flats if (flat.building in NOTEBOOK_BUILDINGS) == in_notebook for person in flat.members]


def draw(dice: Dice, quota: Quota, count: int, people: list[Person]) -> None:
    """Tag `count` of the people: each throws as often as their weight, and the best throws win."""
    throws = [
        (max(dice.random() for _ in range(weight)), person) for person in people if (weight := quota.weight(person)) > 0
    ]
    for _, person in sorted(throws, key=lambda throw: throw[0], reverse=True)[:count]:
        person.tags.add(quota.tag)


def tag_people_by_age(flat: Flat) -> None:
    for person in flat.members:
        person.tags |= {tag for tag, age in (("aged_60", 60), ("aged_80", 80)) if person.age >= age}
        if flat.kind == "grandparent_and_child" and person.relation == "grandchild":
            person.tags.add("left_behind_child")


def household_tags(dice: Dice, flat: Flat) -> set[str]:
    """What is true of the door as a whole.

    Particular care goes to the frail among the old who live by themselves, to the very old alone, to a
    child left behind, and to a household with somebody mentally ill.
    """
    tags = {"old_alone": {"living_alone"}, "old_couple": {"empty_nest"}}.get(flat.kind, set()).copy()
    if flat.use in ("rented", "shared"):
        tags.add("short_let" if chance(dice, 22) else "long_term_let")
    troubles = {tag for person in flat.members for tag in person.tags}
    frail = tags & {"living_alone", "empty_nest"} and troubles & {"ill", "disabled"}
    very_old_alone = "living_alone" in tags and "aged_80" in troubles
    if frail or very_old_alone or troubles & {"left_behind_child", "mentally_ill"}:
        tags.add("key_care")
    return tags
