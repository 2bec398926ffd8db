"""Merge policies: how two edits of one field become one value. Pure functions.

A policy is written beside the field it governs. It is asked twice over: `take` when nobody else
changed the field since the person looked, `settle` when somebody did. Either gives the value to
write, `CONTESTED` when a person must choose, or a `Refusal`. `join` is asked when two records turn
out to be of one thing.
"""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue


class Contested:
    """No rule can settle it: the held value stays, the arriving one becomes a candidate."""


CONTESTED: Final = Contested()
MOST_COMPARED = 64
"""Sentences between a text's first and last difference that are looked into; more count as one stretch rewritten.

Comparing costs up to their cube: two notes of 2,000 full stops would hold a server for minutes."""


@dataclass(frozen=True)
class Refusal:
    """The whole mutation is refused with this problem code."""

    code: str


Settled = JsonValue | Contested | Refusal


@dataclass(frozen=True)
class Fork:
    """One field that both sides changed since `base`."""

    held: JsonValue
    arriving: JsonValue
    base: JsonValue = None
    base_known: bool = True
    readded: Collection[str] = frozenset()
    """For sets: what somebody else added again since the base."""
    past_lost: bool = False
    """Is the base of a past that a restore may have taken? What the held value lacks of it, it may never have had."""


@dataclass(frozen=True)
class Policy:
    """A named rule for one field."""

    name: str
    take: Callable[[JsonValue, JsonValue], Settled]
    """(held, arriving) → value, when only this person changed the field."""
    settle: Callable[[Fork], Settled]
    join: Callable[[JsonValue, JsonValue], JsonValue | Contested]
    """(held, other) → value, of two records that are of one thing; both say something, and not the same."""


def _replace(held: JsonValue, arriving: JsonValue) -> Settled:
    return arriving


def _ask(fork: Fork) -> Settled:
    """The held value stays, the arriving one waits as a candidate; a person decides."""
    return CONTESTED


def _latest(fork: Fork) -> Settled:
    """The one that arrives later wins; the other stays in the history."""
    return fork.arriving


def _with_delta(held: JsonValue, arriving: JsonValue) -> Settled:
    """A set after `{add, remove}`; a plain list only adds, since its sender saw nothing to remove."""
    add, remove = _delta(arriving)
    return [*sorted((_members(held) | add) - (remove - add))]


def _union(fork: Fork) -> Settled:
    """Every add and every remove of both sides takes effect; an add beats a remove of the same value."""
    add, remove = _delta(fork.arriving)
    return [*sorted((_members(fork.held) | add) - (remove - add - set(fork.readded)))]


def _larger(held: JsonValue, arriving: JsonValue) -> JsonValue:
    """The larger of the two; nothing is smaller than no value."""
    if held is None or arriving is None:
        return arriving if held is None else held
    return max(held, arriving)  # type: ignore[type-var]


def _add_increment(held: JsonValue, arriving: JsonValue) -> Settled:
    """The sum of all increments. A plain number can't be summed and is asked about."""
    if isinstance(arriving, dict):
        return _number(held) + _number(arriving.get("increment"))
    return arriving if held in (None, arriving) else CONTESTED


def _once(held: JsonValue, arriving: JsonValue) -> Settled:
    """Set when the record was made: equal is ignored, different refuses the mutation."""
    return held if held == arriving else Refusal("once_changed")


def _add_entries(held: JsonValue, arriving: JsonValue) -> Settled:
    """An object whose entries are each set once: the arriving one has all that are held, as they are."""
    return arriving if _entries(held).items() <= _entries(arriving).items() else Refusal("once_changed")


def _grow(fork: Fork) -> Settled:
    """The entries that either side added; a person decides which of two with one name it is."""
    base, arriving = _entries(fork.base), _entries(fork.arriving)
    if fork.base_known and fork.held != fork.arriving and not base.items() <= arriving.items():
        return Refusal("once_changed")
    return _all_entries(fork.held, fork.arriving)


def _all_entries(held: JsonValue, other: JsonValue) -> JsonValue | Contested:
    mine, theirs = _entries(held), _entries(other)
    return CONTESTED if any(theirs.get(name, said) != said for name, said in mine.items()) else {**theirs, **mine}


def _kept(held: JsonValue, other: JsonValue) -> JsonValue | Contested:
    """The held value stays; the other can be read in the history of the record that said it."""
    return held


def _asked(held: JsonValue, other: JsonValue) -> JsonValue | Contested:
    """The held value stays, the other waits as a candidate; a person decides."""
    return CONTESTED


def _joined_sets(held: JsonValue, other: JsonValue) -> JsonValue | Contested:
    """Every member of both."""
    return [*sorted(_members(held) | _members(other))]


def _joined_texts(held: JsonValue, other: JsonValue) -> JsonValue | Contested:
    """The held text, then on a line of its own what the other says beside it: no sentence of either is lost."""
    mine = sentences(held)
    more = [sentence for sentence in sentences(other) if sentence not in mine]
    if not more:
        return held
    broken = mine[-1].endswith("\n")
    return "".join([*mine, *([] if broken else ["\n"]), *more])


ask: Final = Policy("ask", _replace, _ask, _asked)
latest: Final = Policy("latest", _replace, _latest, _kept)
union: Final = Policy("union", _with_delta, _union, _joined_sets)
maximum: Final = Policy("maximum", _larger, lambda fork: _larger(fork.held, fork.arriving), _larger)
total: Final = Policy(
    "total", _add_increment, lambda fork: _add_increment(fork.held, fork.arriving), lambda a, b: _number(a) + _number(b)
)
once: Final = Policy("once", _once, lambda fork: _once(fork.held, fork.arriving), _kept)
grows: Final = Policy("grows", _add_entries, _grow, _all_entries)


def steps(allowed: Collection[tuple[str, str]]) -> Policy:
    """The server decides: a step that isn't among `allowed` (from, to) pairs is refused."""

    def step(held: JsonValue, arriving: JsonValue) -> Settled:
        possible = held == arriving or (held, arriving) in allowed
        return arriving if possible else Refusal("impossible_step")

    return Policy("steps", step, lambda fork: step(fork.held, fork.arriving), _kept)


def _text(fork: Fork) -> Settled:
    """Sentences that one side changed stay changed; where both changed the same ones, a person decides."""
    if not fork.base_known:
        return CONTESTED
    base, held, arriving = (sentences(value) for value in (fork.base, fork.held, fork.arriving))
    merged = _merge_sentences(base, held, arriving, past_lost=fork.past_lost)
    return CONTESTED if merged is None else "".join(merged)


text: Final = Policy("text", _replace, _text, _joined_texts)

POLICIES: Final = {policy.name: policy for policy in (ask, latest, union, maximum, total, once, grows, text)}


def sentences(value: JsonValue) -> list[str]:
    """Cut after a newline and after 。！？；: the units a note is merged by."""
    return re.findall(r"[^\n。！？；]*[\n。！？；]|[^\n。！？；]+", value) if isinstance(value, str) else []


def _merge_sentences(base: list[str], held: list[str], arriving: list[str], *, past_lost: bool) -> list[str] | None:
    """Both sides' edits of `base` in their places; None where they overlap and differ.

    Where the past may be lost, nobody need have taken out what the held text lacks, and whether it has other sentences
    in their place from before or from after them can't be told.
    """
    ours, theirs = _edits(base, held), _edits(base, arriving)
    if past_lost:
        ours = [edit for edit in ours if edit[2]]
        if any(start < end and (start, end, new) not in theirs for start, end, new in ours):
            return None
    merged: list[str] = []
    at = 0
    while ours or theirs:
        if ours and theirs and ours[0] == theirs[0]:
            start, end, new = ours.pop(0)
            theirs.pop(0)
        elif ours and theirs and _overlap(ours[0], theirs[0]):
            return None
        else:
            side = ours if not theirs or (ours and ours[0] < theirs[0]) else theirs
            start, end, new = side.pop(0)
        merged += base[at:start] + new
        at = end
    return merged + base[at:]


def _edits(base: list[str], other: list[str]) -> list[tuple[int, int, list[str]]]:
    """(start, end, replacement) of each stretch of `base` that `other` changed."""
    start = _alike(base, other)
    end = _alike(base[start:][::-1], other[start:][::-1])
    was, now = base[start : len(base) - end], other[start : len(other) - end]
    if max(len(was), len(now)) > MOST_COMPARED:
        return [(start, start + len(was), now)]
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    return [(start + i, start + j, now[k:m]) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]


def _alike(one: list[str], other: list[str]) -> int:
    """How many sentences both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _overlap(one: tuple[int, int, list[str]], other: tuple[int, int, list[str]]) -> bool:
    """An insertion that touches another edit counts: at one place they have no order of their own."""
    if one[0] == one[1] or other[0] == other[1]:
        return one[0] <= other[1] and other[0] <= one[1]
    return one[0] < other[1] and other[0] < one[1]


def _delta(arriving: JsonValue) -> tuple[set[str], set[str]]:
    if isinstance(arriving, dict):
        return _members(arriving.get("add")), _members(arriving.get("remove"))
    return _members(arriving), set()


def _members(value: JsonValue) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def _entries(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
