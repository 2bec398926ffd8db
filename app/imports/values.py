"""What a cell says, as a value of its field; or the code of what is wrong with it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date

from pydantic import JsonValue

from app.fields import FieldSpec
from app.imports.cells import Cell

Names = Mapping[tuple[str, str], str]
"""(list, name or code) → code."""

LISTS = {"use": "use", "relation": "relation", "tags": "tag"}
"""Field → the list its codes are of."""
_CODE = re.compile(r"[a-z0-9_]{1,64}")
BETWEEN = re.compile(r"[、，,;；/]")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
"""By which offices make names of two letters as wide as those of three."""
_DOOR = re.compile(r"[室号户]$")
_DATE = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[ T]0?0:00(?::00(?:\.0+)?)?)?")
_FLOOR = re.compile(r"(-?\d{1,3})(?:层|楼|F|f)?")
_LONGEST_TEXT = 4000
"""As long as a note. One letter may come to eighteen narrow ones."""
_WIDE = {n: n + 0xFEE0 for n in range(0x21, 0x7F)}
_EXACT_BELOW = 10**15
"""A spreadsheet keeps fifteen digits of a number, and writes zeros for the rest."""
_IN_WORDS = {"note", "name", "best_time", "emergency_contact"}
_SEXES = {
    **dict.fromkeys(("男", "男性", "m", "male"), "male"),
    **dict.fromkeys(("女", "女性", "f", "female"), "female"),
}
_TRUTHS = {**dict.fromkeys(("是", "有", "y", "yes", "true", "1", "√"), True)}
_TRUTHS |= dict.fromkeys(("否", "无", "n", "no", "false", "0", "×"), False)
_LEVELS = {
    "网格": "grid",
    "小区": "estate",
    **dict.fromkeys(("楼栋", "楼", "栋", "幢", "座"), "building"),
    "单元": "unit",
}


class Unreadable(Exception):
    """The code of why a cell can't be taken."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def value_of(cell: Cell, name: str, spec: FieldSpec, names: Names) -> JsonValue:
    """As the field holds it, not yet held against its rules. Raises Unreadable."""
    text = text_of(cell)
    if spec.kind is date:
        return _date(cell, text)
    if cell.kind == "date" and name != "note":
        # "3-2" was a door before a spreadsheet took it for the second of March.
        raise Unreadable("became_date")
    if name in LISTS:
        return _codes(name, spec, text, names)
    if spec.kind is int:
        return _whole(text)
    if spec.kind is bool or name == "sex":
        return _choice(_SEXES if name == "sex" else _TRUTHS, text)
    if name == "name":
        return _BETWEEN_HAN.sub("", text)
    word = text if name in _IN_WORDS else narrow(text)
    return _level(word) if name == "level" else word


def text_of(cell: Cell) -> str:
    """What it says. Raises Unreadable."""
    text = cell.text.strip()
    if cell.kind == "error":
        raise Unreadable("formula_error")
    if len(text) > _LONGEST_TEXT:
        raise Unreadable("text_too_long")
    if "\ufffd" in text:
        raise Unreadable("text_garbled")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Unreadable("nul_in_text" if "\0" in text else "lone_surrogate")
    return _number(text) if cell.kind == "number" else text


def narrow(text: str) -> str:
    """Wide letters and digits as narrow ones: of what is compared, never of what somebody wrote in words."""
    return unicodedata.normalize("NFKC", text).strip()


def word_alike(word: str) -> str:
    """What a word comes to: with wide or narrow brackets, large or small letters."""
    return narrow(word).casefold()


def door_alike(door: JsonValue) -> str:
    """What a door comes to, however it is written: 101, 101室 and １０１ are one."""
    word = re.sub(r"\s", "", narrow(str(door))).casefold()
    return _DOOR.sub("", word) or word


def spellings(door: JsonValue) -> Iterator[str]:
    """How people write this door, so that a store can be asked for it."""
    alike = door_alike(door)
    wide = alike.translate(_WIDE)
    yield str(door)
    for word in (alike, alike.upper(), wide, wide.upper()):
        yield from (word, *(word + end for end in "室号户"))


def name_alike(name: JsonValue) -> str:
    """What a name comes to, without the spaces that make it wide."""
    return _BETWEEN_HAN.sub("", narrow(str(name))).casefold()


def _number(text: str) -> str:
    """As a person would write it. Raises Unreadable."""
    try:
        number = float(text)
    except ValueError:
        raise Unreadable("invalid") from None
    if not abs(number) < _EXACT_BELOW:
        raise Unreadable("number_cut")
    return str(int(number)) if number.is_integer() else f"{number:.15g}"


def _date(cell: Cell, text: str) -> str:
    found = _DATE.fullmatch(narrow(text))
    if not found or cell.kind == "truth":
        raise Unreadable("date_unreadable")
    year, *rest = (part for part in found.groups() if part)
    try:
        return date(int(year), int(rest[0]), int(rest[1])).isoformat()
    except ValueError:
        raise Unreadable("date_unreadable") from None


def _codes(name: str, spec: FieldSpec, text: str, names: Names) -> JsonValue:
    """One, or of a set as many as the cell lists."""
    if spec.kind is not set:
        return _code(LISTS[name], text, names)
    # One tag may be called "disabled / gravely ill".
    words = [text] if (LISTS[name], word_alike(text)) in names else BETWEEN.split(text)
    return [*sorted({_code(LISTS[name], word.strip(), names) for word in words if word.strip()})]


def _code(of_list: str, text: str, names: Names) -> str:
    """The code that is called so where the file belongs; a code that no list names is kept, as everywhere."""
    word = narrow(text)
    code = names.get((of_list, word_alike(word)))
    if code is None and not _CODE.fullmatch(word):
        raise Unreadable("code_unknown")
    return code or word


def _level(word: str) -> str:
    """Of a level in words that nobody knows, no door would ever be found."""
    level = _LEVELS.get(word, word)
    if not _CODE.fullmatch(level):
        raise Unreadable("invalid")
    return level


def _choice(choices: Mapping[str, JsonValue], text: str) -> JsonValue:
    word = word_alike(text)
    if word not in choices:
        raise Unreadable("invalid")
    return choices[word]


def _whole(text: str) -> int:
    found = _FLOOR.fullmatch(narrow(text))
    if not found:
        raise Unreadable("invalid")
    return int(found[1])
