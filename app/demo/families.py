"""Who lives behind a door: thirteen kinds of household, and how many of each the community has.

The counts are chosen so that the community as a whole meets the figures reported from the field: 8,234
residents, 2,024 of them aged 60 or over, 669 households of one old person and 612 of an old couple. The two
buildings of the first grid meet those of the grid secretary's notebook 民情本: 554 residents, 48 and 64.
"""

from collections.abc import Callable, Iterator

from app.demo.people import Dice, Person, chance, next_surname

NOTEBOOK_HOUSEHOLDS = {
    "old_alone": 48,
    "old_couple": 64,
    "single": 48,
    "couple": 42,
    "parent_and_child": 17,
    "family_of_three": 48,
    "family_of_four": 9,
    "with_grandparent": 4,
    "with_grandparents": 1,
    "grandparent_and_child": 1,
    "shared": 3,
    "vacant": 24,
    "shop": 3,
}

ALL_HOUSEHOLDS = {
    "old_alone": 669,
    "old_couple": 612,
    "single": 1361,
    "couple": 640,
    "parent_and_child": 255,
    "family_of_three": 700,
    "family_of_four": 120,
    "with_grandparent": 75,
    "with_grandparents": 18,
    "grandparent_and_child": 20,
    "shared": 60,
    "vacant": 620,
    "shop": 85,
}

OTHER_HOUSEHOLDS = {kind: count - NOTEBOOK_HOUSEHOLDS[kind] for kind, count in ALL_HOUSEHOLDS.items()}

RENTED_PERCENT = {"single": 58, "couple": 30, "parent_and_child": 18, "family_of_three": 14}

OTHER_SEX = {"male": "female", "female": "male"}


def members_of(dice: Dice, kind: str) -> list[Person]:
    """The people of one household, its head first; nobody in a vacant flat or a shop."""
    return list(FAMILIES[kind](dice)) if kind in FAMILIES else []


def use_of(dice: Dice, kind: str) -> str:
    """The code of what the flat is used for."""
    if kind in ("vacant", "shop", "shared"):
        return kind
    return "rented" if chance(dice, RENTED_PERCENT.get(kind, 3)) else "self_occupied"


def younger(dice: Dice, lowest: int, span: int) -> int:
    """An age from `lowest` up, below `lowest + span`, the lower ones likelier."""
    return lowest + min(dice.randrange(span), dice.randrange(span))


def head(dice: Dice, age: int, percent_male: int) -> Person:
    sex = "male" if chance(dice, percent_male) else "female"
    return Person(age, sex, "head", next_surname(dice))


def spouse_of(dice: Dice, other: Person, lowest: int) -> Person:
    """A wife is on the whole two years the younger; nobody is below `lowest`."""
    older = (1 if other.sex == "female" else -1) * (dice.randrange(8) - 2)
    return Person(max(lowest, other.age + older), OTHER_SEX[other.sex], "spouse", next_surname(dice))


def child_of(dice: Dice, *parents: Person) -> Person:
    """A child bears the father's name if he is here, and was born to parents of 22 to 35."""
    named_after = next((parent for parent in parents if parent.sex == "male"), parents[0])
    age = max(0, min(parent.age for parent in parents) - 22 - dice.randrange(13))
    return Person(age, dice.choice(("male", "female")), "child", named_after.surname)


def old_alone(dice: Dice) -> Iterator[Person]:
    yield head(dice, younger(dice, 60, 35), percent_male=32)


def old_couple(dice: Dice) -> Iterator[Person]:
    first = head(dice, younger(dice, 61, 29), percent_male=80)
    yield from (first, below(94, spouse_of(dice, first, lowest=60)))


def single(dice: Dice) -> Iterator[Person]:
    yield head(dice, younger(dice, 21, 38), percent_male=54)


def couple(dice: Dice) -> Iterator[Person]:
    first = head(dice, younger(dice, 25, 34), percent_male=72)
    yield from (first, below(59, spouse_of(dice, first, lowest=23)))


def parent_and_child(dice: Dice) -> Iterator[Person]:
    parent = head(dice, 27 + dice.randrange(32), percent_male=25)
    yield from (parent, child_of(dice, parent))


def family_of_three(dice: Dice) -> Iterator[Person]:
    first, second = parents(dice, 26 + dice.randrange(32))
    yield from (first, second, child_of(dice, first, second))


def family_of_four(dice: Dice) -> Iterator[Person]:
    first, second = parents(dice, 30 + dice.randrange(20))
    yield from (first, second, child_of(dice, first, second), child_of(dice, first, second))


def with_grandparent(dice: Dice) -> Iterator[Person]:
    first, second = parents(dice, 33 + dice.randrange(17))
    yield from (first, second, child_of(dice, first, second), parent_of(dice, first, "female"))


def with_grandparents(dice: Dice) -> Iterator[Person]:
    members = list(with_grandparent(dice))
    yield from (*members, Person(younger(dice, 62, 20), "male", "parent", members[0].surname))


def grandparent_and_child(dice: Dice) -> Iterator[Person]:
    grandparent = head(dice, younger(dice, 60, 17), percent_male=35)
    child = Person(3 + dice.randrange(12), dice.choice(("male", "female")), "grandchild", next_surname(dice))
    if grandparent.sex == "male":
        child.surname = grandparent.surname
    yield from (grandparent, child)


def shared(dice: Dice) -> Iterator[Person]:
    for _ in range(3):
        sex = dice.choice(("male", "female"))
        yield Person(younger(dice, 20, 18), sex, "tenant", next_surname(dice))


def parents(dice: Dice, age: int) -> tuple[Person, Person]:
    first = head(dice, age, percent_male=78)
    return first, below(59, spouse_of(dice, first, lowest=25))


def parent_of(dice: Dice, somebody: Person, sex: str) -> Person:
    return Person(max(60, somebody.age + 22 + dice.randrange(9)), sex, "parent", next_surname(dice))


def below(highest: int, person: Person) -> Person:
    person.age = min(person.age, highest)
    return person


FAMILIES: dict[str, Callable[[Dice], Iterator[Person]]] = {
    "old_alone": old_alone,
    "old_couple": old_couple,
    "single": single,
    "couple": couple,
    "parent_and_child": parent_and_child,
    "family_of_three": family_of_three,
    "family_of_four": family_of_four,
    "with_grandparent": with_grandparent,
    "with_grandparents": with_grandparents,
    "grandparent_and_child": grandparent_and_child,
    "shared": shared,
}
