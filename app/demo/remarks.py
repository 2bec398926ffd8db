"""Which note a door or a person gets, and when to knock: what is written agrees with who lives there."""

from app.demo.doors import Flat
from app.demo.people import Dice, Person, chance
from app.demo.sentences import note

THEMES_OF_KIND: dict[str, tuple[str, ...]] = {
    "old_alone": ("medicine", "children_away", "talk", "meals", "safety", "leak", "quarrel"),
    "old_couple": ("medicine", "children_away", "talk", "meals", "safety", "leak", "quarrel"),
    "single": ("leak", "quarrel", "work", "safety"),
    "couple": ("leak", "quarrel", "work", "safety"),
    "shared": ("letting", "quarrel", "safety", "leak"),
    "vacant": ("vacancy",),
    "shop": ("shop",),
}
THEMES_OF_ANYBODY = ("leak", "quarrel", "safety")

PERCENT_WITH_NOTE = {"old_alone": 85, "old_couple": 70, "vacant": 30, "shop": 60}

THEMES_OF_TAG: dict[str, tuple[tuple[str, ...], int]] = {
    "mentally_ill": (("company",), 80),
    "ill": (("medicine",), 80),
    "disabled": (("aid",), 70),
    "low_income": (("aid",), 40),
    "volunteer": (("service",), 60),
    "aged_80": (("medicine", "meals"), 30),
    "party_member": (("service",), 15),
}
"""What a person's note is about, by the first of these tags they bear, and how many in a hundred have one."""

TIMES_OF_THE_OLD = ("上午九点以后", "下午三点到五点", "午睡后", "早上买菜回来", "晚饭前")
TIMES_OF_WORKERS = ("晚上七点半以后", "周末上午", "晚上八点到九点", "周日下午", "先打电话")


def remark_on_flat(dice: Dice, flat: Flat) -> str:
    if not chance(dice, PERCENT_WITH_NOTE.get(flat.kind, 42)):
        return ""
    themes = THEMES_OF_KIND.get(flat.kind, THEMES_OF_ANYBODY)
    if flat.use == "rented":
        themes = ("letting", *themes)
    if any(4 <= member.age <= 16 for member in flat.members):
        themes = ("school", *themes)
    return note(dice, themes, longest=3 if "key_care" in flat.tags else 2)


def remark_on_person(dice: Dice, person: Person) -> str:
    for tag, (themes, percent) in THEMES_OF_TAG.items():
        if tag in person.tags:
            return note(dice, themes, longest=2) if chance(dice, percent) else ""
    return ""


def best_time(dice: Dice, flat: Flat) -> str | None:
    """When somebody opens, where a worker has found it out."""
    if not flat.members or chance(dice, 45):
        return None
    return dice.choice(TIMES_OF_THE_OLD if flat.members[0].is_old else TIMES_OF_WORKERS)
