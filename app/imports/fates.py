"""What became of each row: from what its words came to, and from what the write path said of the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue

from app.imports.planning import Fate, Plan, Step
from app.imports.rows import Fault, Row
from sync.wire import Fields

_NOBODY = UUID(int=0)
_WORST: Sequence[Fate] = ("refused", "to_decide", "created", "updated", "unchanged")
Decided = Mapping[tuple[UUID, str, str], UUID | None]
"""What was asked before: (record, field, value) → the conflict that waits, None once it was decided."""


class RowFate(NamedTuple):
    """What became of one row, and which records it is about.

    A refused row with records was refused by the write path, which takes each of its records by itself.
    """

    row: int
    fate: Fate
    faults: Sequence[Fault] = ()
    records: Mapping[str, UUID] = {}
    conflicts: Sequence[UUID] = ()


class _Word(NamedTuple):
    """What a row says of one record's field; without a name, that there is one."""

    plan: Plan
    step: Step
    name: str = ""
    value: JsonValue = None


@dataclass
class Spoken:
    """A row and what came of its words."""

    row: Row
    id: UUID = _NOBODY
    """Of the household, or area, that it creates where there is none yet."""
    words: list[_Word] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)
    """What is worth knowing of it, and refuses nothing."""

    def say(self, plan: Plan, said: Fields) -> None:
        """It speaks of this record."""
        self.plans.append(plan)
        self.words.append(_Word(plan, plan.open()))
        for name, value in said.items():
            # Each member of a set by itself: one may be left out, and another added.
            parts: list[JsonValue] = [[one] for one in value] if isinstance(value, list) else [value]
            self.words += [_Word(plan, plan.meet(name, part), name, part) for part in parts]

    def fate(self, decided: Decided) -> RowFate:
        """When all is done."""
        row, faults = self.row, [*self.row.faults, *self._refusals()]
        if faults:
            return RowFate(row.number, "refused", list(dict.fromkeys(faults)))
        faults += self.remarks
        steps: set[Step] = {"unchanged"}
        waiting: list[UUID] = []
        for word in self.words:
            step, conflicts = _come_to(word, decided)
            steps.add(step)
            waiting += conflicts
            if step in ("kept", "once_changed"):
                code = "value_kept" if step == "kept" else "once_changed"
                faults.append(Fault(row.cell(word.plan.collection.name, word.name), code))
        fate = next(one for one in _WORST if one in steps)
        records = {plan.collection.name: plan.id for plan in self.plans}
        return RowFate(row.number, fate, list(dict.fromkeys(faults)), records, list(dict.fromkeys(waiting)))

    def _refusals(self) -> list[Fault]:
        """Of the records it speaks of, by the cells that say what is wrong with them."""
        found = []
        for plan in self.plans:
            if plan.refusal is not None:
                code, errors = plan.refusal
                names = [str(error.get("pointer", "")).rpartition("/")[2] for error in errors] or [""]
                found += [Fault(self.row.cell(plan.collection.name, name), code) for name in names]
        # What was only refused with something else is told of that.
        return [fault for fault in found if fault.code != "depends_on_refused"] or found


def _come_to(word: _Word, decided: Decided) -> tuple[Step, Sequence[UUID]]:
    if word.step != "to_decide":
        return word.step, ()
    key = (word.plan.id, word.name, str(word.value))
    if key not in decided:
        return "to_decide", word.plan.conflicts
    conflict = decided[key]
    return ("unchanged", ()) if conflict is None else ("to_decide", (conflict,))
