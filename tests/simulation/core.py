"""Tier core: the rules alone, over one record in memory, for volume.

No database, no bytes, no replica: `decide` and the merge policies judge what two or three phones say, whose
requests and answers are lost, repeated and delayed. What is checked is what the rules alone can promise: nothing
is replaced unseen (I7), every word is in the history or with a conflict (I7), the same mutation acts once (I3),
and everybody ends with the same record (I2).
"""

from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from sync import merge
from sync.decide import DELETED, Decision, Edit, Held, Past, Rules, Sent, Written, decide
from sync.wire import Fields
from tests.simulation.phone import words_of
from tests.simulation.verdict import Verdict

RULES = Rules({"door": merge.ask, "note": merge.text, "hint": merge.latest, "tags": merge.union}, lambda fields: [])
NEVER_UNSEEN = ("door", "note")
"""Fields whose words nobody may replace without having seen them; of the others the history keeps every one."""
_ACTIONS = ("edit", "edit", "edit", "edit", "delete", "send", "send", "send", "page", "page", "late")


@dataclass
class Said:
    """A mutation on its phone."""

    edit: Edit
    sights: set[str]
    person: int


@dataclass
class _Phone:
    person: int
    copy: Held | None = None
    waiting: Said | None = None
    flying: Said | None = None
    settled: list[Said] = field(default_factory=list)
    """Acknowledged, and in no page yet."""

    def shown(self) -> Fields | None:
        """The record as its person sees it: everything of theirs that no page has brought lies on top."""
        fields = None if self.copy is None or self.copy.deleted else dict(self.copy.fields)
        for said in (*self.settled, self.flying, self.waiting):
            if said is None:
                continue
            if said.edit.op == "delete":
                fields = None
            else:
                fields = {**(fields or {}), **{n: v for n, v in said.edit.fields.items() if not isinstance(v, dict)}}
        return fields


class Core:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, Random(seed)
        self.held: Held | None = None
        self.written: list[Written] = []
        self.sent: dict[int, dict[UUID, Sent]] = {}
        self.kept: set[str] = set()
        """Words that a conflict keeps."""
        self.said: dict[UUID, Said] = {}
        self.received: dict[UUID, int] = {}
        self.flown: list[Said] = []
        self.faults: list[str] = []
        self.phones = [_Phone(n % 2) for n in range(self.dice.choice((2, 2, 3)))]
        self.words = self.ids = 0

    def run(self) -> Verdict:
        """A few dozen things happen; then everything arrives, and everybody reads."""
        for _ in range(self.dice.randint(8, 24)):
            self._act(self.dice.choice(self.phones), self.dice.choice(_ACTIONS))
        for phone in self.phones:
            while phone.waiting or phone.flying:
                self._send(phone, lose=False)
        for phone in self.phones:
            self._page(phone)
        if any(phone.copy != self.held for phone in self.phones):
            self.faults.append("I2: the phones end with different records")
        self._require_every_word()
        return Verdict(self.seed, self.faults, "", len(self.received))

    def _act(self, phone: _Phone, action: str) -> None:
        if action == "edit":
            self._edit(phone)
        elif action == "delete" and phone.shown() is not None:
            self._say(phone, "delete", {})
        elif action == "send":
            self._send(phone, lose=self.dice.random() < 0.3)
        elif action == "page":
            self._page(phone)
        elif action == "late" and self.flown:
            self._receive(self.dice.choice(self.flown))

    def _edit(self, phone: _Phone) -> None:
        self.words += 1
        word, shown = f"w{self.words}x", phone.shown()
        if shown is None:
            self._say(phone, "create", {"door": word, "note": f"{word}。", "hint": word, "tags": ["a"]})
            return
        note = str(shown.get("note") or "")
        fields: list[Fields] = [
            {"door": word},
            {"note": f"{note}{word}。"},
            {"note": f"{word}。{note}"},
            {"note": "。".join(note.split("。")[1:])},
            {"hint": word},
            {"tags": {"add": [self.dice.choice("abc")], "remove": [self.dice.choice("abc")]}},
            {"door": word, "hint": word},
        ]
        self._say(phone, "update", self.dice.choice(fields))

    def _say(self, phone: _Phone, op: str, fields: Fields) -> None:
        """As the phone's outbox does: joined to what waits, or upon what no page has brought yet."""
        sights = {word for name in NEVER_UNSEEN for word in words_of((phone.shown() or {}).get(name))}
        joins = phone.waiting
        if joins and joins.edit.op != "delete" and op == "update" and not _has_delta(fields, joins.edit.fields):
            edit = Edit(
                joins.edit.mutation, joins.edit.op, joins.edit.base, {**joins.edit.fields, **fields}, joins.edit.after
            )
            phone.waiting = Said(edit, joins.sights | sights, phone.person)
        elif joins is None:
            top = phone.flying or (phone.settled[-1] if phone.settled else None)
            live = phone.copy and not phone.copy.deleted  # of a tombstone a phone keeps nothing, not even its rev
            base = top.edit.base if top else phone.copy.rev if phone.copy and live else 0
            self.ids += 1
            edit = Edit(UUID(int=self.ids), op, base, fields, top.edit.mutation if top else None)  # type: ignore[arg-type]
            below = {word for one in self._chain(top) for word in words_of(one.edit.fields) | one.sights}
            phone.waiting = Said(edit, sights | below, phone.person)

    def _chain(self, top: Said | None) -> list[Said]:
        found: list[Said] = []
        while top is not None:
            found.append(top)
            top = self.said.get(top.edit.after) if top.edit.after else None
        return found

    def _send(self, phone: _Phone, *, lose: bool) -> None:
        if phone.flying is None:
            phone.flying, phone.waiting = phone.waiting, None
        if phone.flying is None:
            return
        said = phone.flying
        self.said[said.edit.mutation] = said
        self.flown.append(said)
        if lose and self.dice.random() < 0.5:
            return  # the request
        self._receive(said)
        if not lose:
            phone.flying = None
            phone.settled.append(said)

    def _page(self, phone: _Phone) -> None:
        phone.copy, phone.settled = self.held, []

    def _receive(self, said: Said) -> None:
        edit = said.edit
        if edit.mutation in self.received:
            return
        own = self.sent.setdefault(said.person, {})
        decision = decide(RULES, self.held, edit, Past(self.written, own))
        self.received[edit.mutation] = len(self.written)
        if decision.outcome == "refused":
            own[edit.mutation] = Sent(edit.after, None, {})
            self.kept |= words_of(edit.fields)  # with its payload
            return
        self._require_seen(said, decision)
        self._write(said, decision)
        plain = decision.outcome == "applied" and edit.fields.keys() <= decision.fields.keys()
        own[edit.mutation] = Sent(edit.after, self.held.rev if self.held else None, None if plain else edit.fields)
        for name, contest in decision.contested.items():
            self.kept |= words_of(contest.arriving) if name != DELETED else set()
        if decision.outcome != "applied":
            self.kept |= words_of(edit.fields)  # with its payload

    def _write(self, said: Said, decision: Decision) -> None:
        if not decision.writes:
            return
        held = self.held or Held(0, {}, {})
        rev = held.rev + 1
        was = {name: held.fields.get(name) for name in decision.fields} if self.held else {}
        revs = {**held.field_revs, **(dict.fromkeys(decision.fields, rev) if self.held else {})}
        deleted = held.deleted if decision.deleted is None else decision.deleted
        self.held = Held(rev, {**held.fields, **decision.fields}, revs, deleted)
        self.written.append(Written(rev, said.edit.mutation, decision.fields, was, decision.deleted))

    def _require_seen(self, said: Said, decision: Decision) -> None:
        held = self.held.fields if self.held else {}
        names = NEVER_UNSEEN if decision.deleted else [name for name in decision.fields if name in NEVER_UNSEEN]
        after = {} if decision.deleted else decision.fields
        gone = {word for name in names for word in words_of(held.get(name)) - words_of(after.get(name))}
        if unseen := gone - said.sights:
            self.faults.append(f"I7: {sorted(unseen)} was replaced unseen by {said.edit.op}")

    def _require_every_word(self) -> None:
        there = {word for row in self.written for word in words_of([row.fields, row.was])} | self.kept
        typed = {word for said in self.said.values() for word in words_of(said.edit.fields)}
        if missing := typed - there:
            self.faults.append(f"I7: sent, and nowhere: {sorted(missing)}")


def _has_delta(*fields: Fields) -> bool:
    """Sets that are changed by adding and removing are squashed by the replica; here they go one by one."""
    return any(isinstance(value, dict) for one in fields for value in one.values())
