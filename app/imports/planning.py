"""What a file adds to a record: what is new or empty is filled, and what somebody wrote otherwise is only asked about.

Pure: no store, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from app.collections.base import Collection
from sync.merge import sentences
from sync.wire import Fields, Op

Fate = Literal["created", "updated", "unchanged", "to_decide", "refused"]
Step = Literal["created", "updated", "unchanged", "to_decide", "kept", "once_changed"]
"""What a row's value of a field comes to. `kept`: the record says otherwise, and nobody is asked."""


@dataclass
class Plan:
    """One record with what a file says of it, from as many of its rows as speak of it."""

    collection: Collection
    id: UUID
    held: Fields | None = None
    """As it is stored; None for one to be created."""
    rev: int = 0
    field_revs: Mapping[str, int] = field(default_factory=dict)
    deleted: bool = False
    own: bool = False
    """Did whoever imports make it? What they left out they may say now; others may have chosen what they left."""
    removed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of a set, what somebody took out of it."""
    now: Fields = field(default_factory=dict)
    """What it will hold."""
    filled: Fields = field(default_factory=dict)
    contested: list[Fields] = field(default_factory=list)
    """Values that differ from the held ones, no field twice in one of them."""
    opened: bool = False
    """Has a row said that it is to be created?"""
    refusal: tuple[str, list[Fields]] | None = None
    """The code of why it can't be written, and its errors."""
    conflicts: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = dict(self.held or {})

    def open(self) -> Step:
        """Of a row that speaks of it: is it the one that creates it?"""
        if self.held is not None or self.opened:
            return "unchanged"
        self.opened = True
        return "created"

    def is_free(self, name: str) -> bool:
        """Does it hold nothing there, or what the importer made it with for want of a word?"""
        spec, present = self.collection.fields[name], self.now.get(name)
        made_so = self.held is not None and self.own and name not in self.field_revs and present == spec.default
        return present in (None, "") or (spec.policy.name == "ask" and made_so)

    def meet(self, name: str, value: JsonValue) -> Step:
        """What becomes of one value."""
        policy, present = self.collection.fields[name].policy.name, self.now.get(name)
        if policy == "union":
            return self._add(name, value, present)
        if value == present or (policy == "text" and _says(present, value)):
            return "unchanged"
        # What is empty because somebody emptied it is what they wrote. And of what the last writer wins nothing is
        # filled later, since somebody may be writing it now.
        emptied = present in (None, "") and name in self.field_revs
        if self.is_free(name) and not emptied and (policy != "latest" or self.held is None):
            self.now[name] = value
            if self.held is not None:
                self.filled[name] = value
            return "updated"
        if policy == "once":
            return "once_changed"
        # To a note that somebody emptied, the old sentences would be added again.
        if policy == "latest" or (policy == "text" and emptied):
            return "kept"
        self._contest(name, value)
        return "to_decide"

    def _add(self, name: str, value: JsonValue, present: JsonValue) -> Step:
        wanted, there = ({*part} if isinstance(part, list) else set() for part in (value, present))
        if wanted <= there:
            return "unchanged"
        wanted -= self.removed.get(name, frozenset())
        if wanted <= there:
            return "kept"
        whole: list[JsonValue] = [*sorted(str(member) for member in there | wanted)]
        self.now[name] = whole
        if self.held is not None:
            held = self.held.get(name)
            self.filled[name] = {"add": [one for one in whole if not isinstance(held, list) or one not in held]}
        return "updated"

    def _contest(self, name: str, value: JsonValue) -> None:
        if any(other.get(name) == value for other in self.contested):
            return
        free = next((other for other in self.contested if name not in other), None)
        if free is None:
            self.contested.append({name: value})
        else:
            free[name] = value

    def settle(self, name: str, value: JsonValue) -> None:
        """Nobody need be asked about it again."""
        for other in self.contested:
            if other.get(name) == value:
                del other[name]

    def writes(self) -> list[tuple[Op, int, Fields]]:
        """(op, base, fields) of the mutations that say it. Whoever contests has seen nothing: base 0, so that the held
        value stays and the other waits for a person.
        """
        contested: list[tuple[Op, int, Fields]] = [("update", 0, fields) for fields in self.contested if fields]
        if self.held is None:
            return [("create", 0, self.now), *contested] if self.opened else []
        filled: list[tuple[Op, int, Fields]] = [("update", self.rev, self.filled)] if self.filled else []
        return filled + contested


def _says(held: JsonValue, value: JsonValue) -> bool:
    """Does the held text have every sentence of the other?"""
    return {*sentences(value)} <= {*sentences(held)}
