"""Invented people: names, birth dates, telephones and identity numbers that belong to nobody.

Names are joined at random from common characters. Telephones begin with 154, a range we know no operator
to issue. Identity numbers carry a right check digit (GB 11643), because the software checks it, and order
codes from 900 up, which registries hardly reach; any likeness to a real one is chance.

Every draw takes the same steps whatever today's date is, so that a community of one seed keeps its ids
and its families while its members' birth dates follow the calendar.
"""

from collections import Counter
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from stdnum.cn import ric

Drawn = TypeVar("Drawn")


class Dice(Protocol):
    """What the demo asks of chance; `sync.seams.seeded` answers it."""

    def random(self) -> float: ...
    def randrange(self, stop: int, /) -> int: ...
    def getrandbits(self, k: int, /) -> int: ...
    def choice(self, seq: Sequence[Drawn], /) -> Drawn: ...
    def shuffle(self, x: MutableSequence[Any], /) -> None: ...


@dataclass
class Person:
    """Somebody being invented; `age` is in whole years today."""

    age: int
    sex: str
    relation: str
    surname: str
    tags: set[str] = field(default_factory=set)

    @property
    def is_old(self) -> bool:
        return self.age >= 60


SURNAMES = tuple(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭林罗郑梁谢宋唐许韩冯邓曹彭肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆范"
    "石廖熊夏付方白孟秦邱侯尹薛闫段雷龙黎史陶贺顾郝龚邵万覃武钱戴严莫孔向常汤康易乔赖文柯涂占游舒桂"
)

GIVEN_NAMES: dict[tuple[str, str], tuple[str, str]] = {
    ("old", "male"): ("国建志大永金明光家福长世学", "华生发安才民祥根顺清斌山松财荣"),
    ("old", "female"): ("玉桂秀淑凤腊菊爱翠金素美月", "英兰珍芳香莲枝梅娥云容仙秀琴"),
    ("grown", "male"): ("志建立俊海少永新晓振传卓昌", "军勇斌峰辉涛刚波伟杰平林锋兵"),
    ("grown", "female"): ("丽晓红海艳燕冬雪小玲慧秋亚", "敏娟霞萍静琴芬玲蓉莉燕洁琼梅"),
    ("young", "male"): ("子浩宇俊梓一嘉博奕铭思天承", "轩涵豪睿辰然航晨阳泽凡恒言霖"),
    ("young", "female"): ("欣梓雨诗思佳语可若芷静一依", "怡涵彤萱妍琪瑶然悦宁桐蕊汐雯"),
}

COUNTIES_OF_ANY_YEAR = ("422822", "422823", "422825", "422826")
COUNTIES_SINCE_1983 = ("420102", "420103", "420105", "420106", "420107", "420111", *COUNTIES_OF_ANY_YEAR)
"""Hubei county codes. Most were given out in the 1980s only, and a checker refuses them for older people."""

UNISSUED_PHONE_PREFIX = "154"


def next_id(dice: Dice) -> str:
    """A UUID that the seed alone decides."""
    return str(UUID(int=dice.getrandbits(128), version=4))


def chance(dice: Dice, percent: int) -> bool:
    return dice.randrange(100) < percent


def next_surname(dice: Dice) -> str:
    """The first surnames of the list are the commoner ones, as they are outside."""
    return SURNAMES[min(dice.randrange(len(SURNAMES)), dice.randrange(len(SURNAMES)))]


def full_name(dice: Dice, person: Person) -> str:
    era = "old" if person.age >= 58 else "grown" if person.age >= 30 else "young"
    first, second = GIVEN_NAMES[era, person.sex]
    given = dice.choice(first) + dice.choice(second)
    return person.surname + (given[1] if chance(dice, 14) else given)


def birth_date(dice: Dice, age: int, today: date) -> date:
    """A day on which somebody now `age` years old may have been born."""
    anniversary = today.replace(year=today.year - age, day=min(today.day, 28))
    return anniversary - timedelta(days=dice.randrange(360))


def phone_number(dice: Dice, age: int) -> str | None:
    """Eleven digits; small children have none, and some of the very old."""
    number = f"{UNISSUED_PHONE_PREFIX}{dice.randrange(10**8):08d}"
    has_one = chance(dice, 80 if age >= 85 else 97)
    return number if age >= 12 and has_one else None


class Registry:
    """Gives out identity numbers, no two alike."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def next_number(self, dice: Dice, born: date, sex: str) -> str:
        """Eighteen characters: county, birth date, order code (odd for men), check digit."""
        counties = COUNTIES_SINCE_1983 if born.year >= 1999 else COUNTIES_OF_ANY_YEAR
        place_and_day = f"{counties[dice.randrange(120) % len(counties)]}{born:%Y%m%d}"
        nth = self._given[place_and_day + sex]
        self._given[place_and_day + sex] += 1
        number = f"{place_and_day}{900 + 2 * nth + (sex == 'male'):03d}"
        return number + ric.calc_check_digit(number + "0")
