"""Finding people by the first letters of their names, as everybody types them on a phone: zgl finds 周桂兰."""

import os
import re
import unicodedata
from functools import cache

# Characters are looked up one by one: the phrases that the library knows besides are 44 MB of every process. It asks
# for this while it is loaded.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")

from pypinyin import Style, pinyin

_BETWEEN = re.compile(r"[\s.·•・‧∙]")


def is_named(name: str, sought: str) -> bool:
    """Does the name hold what is sought, as it is written or by the first letters of how it may be read?

    A character with several readings is found by each: 单 by s and by d.
    """
    sought = _joined(sought)
    readings = [_first_letters(character) for character in _joined(name)]
    starts = range(len(readings) - len(sought) + 1)
    return bool(sought) and any(all(c in readings[at + n] for n, c in enumerate(sought)) for at in starts)


def _joined(name: str) -> str:
    """Nobody types the space that makes a name wide, nor the dot between the parts of one."""
    return _BETWEEN.sub("", plain(name))


def plain(text: str) -> str:
    """Large or small, wide or narrow, it is the same letter."""
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _first_letters(character: str) -> frozenset[str]:
    """The character itself, and the first letter of each of its readings."""
    [readings] = pinyin(character, style=Style.FIRST_LETTER, heteronym=True)
    return frozenset((character, *readings))
