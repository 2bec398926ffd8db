"""A record and what is sent to it, one after another, decided by the rules alone."""

from typing import Any
from uuid import UUID

from pydantic import JsonValue

from sync import merge
from sync.decide import Decision, Edit, Held, Past, Rules, Sent, Written, decide
from sync.merge import steps
from sync.wire import Fields

POLICIES = {
    "name": merge.ask,
    "phone": merge.ask,
    "low": merge.ask,
    "high": merge.ask,
    "colour": merge.latest,
    "tags": merge.union,
    "note": merge.text,
    "seen": merge.maximum,
    "count": merge.total,
    "door": merge.once,
    "state": steps({("open", "taken"), ("taken", "done")}),
}
START: Fields = {
    "name": "王",
    "phone": "1",
    "low": 1,
    "high": 5,
    "colour": "red",
    "tags": ["a", "b"],
    "note": "一。二。三。",
    "seen": 3,
    "count": 10,
    "door": "101",
    "state": "open",
}


def faults(fields: Fields) -> list[dict[str, JsonValue]]:
    """A record's low is never above its high."""
    low, high = fields.get("low"), fields.get("high")
    wrong = isinstance(low, int) and isinstance(high, int) and low > high
    return [{"pointer": "/fields/low"}, {"pointer": "/fields/high"}] if wrong else []


RULES = Rules(POLICIES, faults)


class Story:
    """A record, and what is sent to it one after another: decided, then written as the server would."""

    def __init__(self, **fields: JsonValue) -> None:
        self.numbers = iter(range(1, 1000))
        self.held: Held | None = None
        self.written: list[Written] = []
        self.sent: dict[str, dict[UUID, Sent]] = {"me": {}, "you": {}, "she": {}}
        self.push("you", "create", 0, {**START, **fields})

    def push(
        self,
        who: str,
        op: Any,
        base: int | None,
        fields: Fields | None = None,
        *,
        after: UUID | None = None,
        seen: Fields | None = None,
        past_lost: bool = False,
    ) -> Decision:
        self.mutation = UUID(int=next(self.numbers))
        edit = Edit(self.mutation, op, base, fields or {}, after, seen, past_lost=past_lost)
        decision = decide(RULES, self.held, edit, Past(self.written, self.sent[who]))
        self._write(who, edit, decision)
        return decision

    def _write(self, who: str, edit: Edit, decision: Decision) -> None:
        if decision.outcome == "refused":
            return
        plain = decision.outcome == "applied" and edit.fields.keys() <= decision.fields.keys()
        if decision.writes:
            held = self.held or Held(0, {}, {})
            rev = held.rev + 1
            was = {n: held.fields.get(n) for n in decision.fields} if self.held else {}
            revs = {**held.field_revs, **(dict.fromkeys(decision.fields, rev) if self.held else {})}
            deleted = held.deleted if decision.deleted is None else decision.deleted
            self.held = Held(rev, {**held.fields, **decision.fields}, revs, deleted)
            self.written.append(Written(rev, edit.mutation, decision.fields, was, decision.deleted))
        rev_now = self.held.rev if self.held else None
        self.sent[who][edit.mutation] = Sent(edit.after, rev_now, None if plain else edit.fields)

    @property
    def rev(self) -> int:
        assert self.held
        return self.held.rev

    def __getitem__(self, name: str) -> JsonValue:
        assert self.held
        return self.held.fields[name]
